"""The error tree. A class says who must act and with which code the command ends.

VtonError                      exit 1   an error of ours
├── UsageError                 exit 2   the command's words are wrong
│   └── ManifestError          exit 2   no valid row, or the file is not a manifest
├── NotFoundError              exit 4   no such batch or file
├── ConfigError                exit 7   a setting, the token or the credits: ops
├── EndedEarlyError            exit 10, 130   the deadline or a signal, before there were files to speak of
├── RedisDownError             exit 1   Redis does not answer: ops
│   └── UnconfirmedError       exit 1   replicas have not confirmed a write: ops
├── LedgerLostError            exit 7   the ledger is not the one this data folder knows, or an older state of it: ops
├── ForeignResultsError        exit 7   a batch folder holds results of another ledger: ops
└── UnwrittenError             exit 7   a batch's files cannot be written: ops
"""


class VtonError(Exception):
    """An error shown to people in one line, without a traceback."""

    exit_code = 1


class UsageError(VtonError):
    """The command's words are wrong."""

    exit_code = 2


class ManifestError(UsageError):
    """The file is no manifest, or none of its rows is valid."""


class NotFoundError(VtonError):
    """No such batch or file. `batch`: the name that no batch has; empty for anything else."""

    exit_code = 4

    def __init__(self, why: str, batch: str = "") -> None:
        super().__init__(why)
        self.batch = batch


class ConfigError(VtonError):
    """A setting, the token or the credits keep a run from starting."""

    exit_code = 7


class SpoiltLedgerError(ConfigError):
    """A key of the ledger holds what no script expects: waiting fixes nothing, and other jobs may be well."""


class EndedEarlyError(VtonError):
    """The deadline or a signal, before there were files to speak of. `code`: the exit code that says which."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.exit_code = code


class RedisDownError(VtonError):
    """Redis does not answer."""


class UnconfirmedError(RedisDownError):
    """Nobody knows whether as many replicas as `redis.replicas` asks for hold what was written."""


class LedgerLostError(ConfigError):
    """The ledger is empty, another one or older than what was seen of it: nothing is bought until a person looks."""


class ForeignResultsError(ConfigError):
    """A batch folder holds results that this ledger does not have: nothing in it is changed until a person looks."""


class UnwrittenError(ConfigError):
    """A batch's files cannot be written: no room, no rights. The ledger and the picture store have everything."""
