"""What all blocks of config.yaml have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One block of config.yaml; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)
