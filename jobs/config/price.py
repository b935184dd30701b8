"""What a picture costs. A price is a decimal, never a float: sums of it are exact."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

#: The least that money is written with, e.g. 14.70.
_CENTS = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of one picture; false when none is known."""

    per_image: Decimal
    #: Three letters of ISO 4217; empty: none is named.
    currency: str = ""

    def __bool__(self) -> bool:
        return self.per_image > 0

    def cost(self, pictures: int) -> Decimal:
        """What so many pictures cost, exactly."""
        return self.per_image * pictures

    def pictures(self, cost: Decimal) -> int:
        """How many whole pictures a sum pays for."""
        return int((cost / self.per_image).to_integral_value(ROUND_FLOOR))

    def words(self, pictures: int) -> str:
        """What so many pictures cost, for people: `14.70 CNY`."""
        return self.amount(self.cost(pictures))

    def amount(self, cost: Decimal) -> str:
        """A sum with its currency."""
        return f"{plain(cost)} {self.currency}".rstrip()


#: None is known.
NO_PRICE = Price(per_image=Decimal(0))


def costs(price: Price, **counted: int) -> dict[str, str | None] | None:
    """What so many pictures of each kind cost, as digits, with the price itself; None when no price is known."""
    if not price:
        return None
    found: dict[str, str | None] = {
        "price_per_image": plain(price.per_image),
        "currency": price.currency or None,
    }
    return found | {name: plain(price.cost(pictures)) for name, pictures in counted.items()}


def plain(cost: Decimal) -> str:
    """A sum as digits: two decimals, or as many as it needs."""
    exponent = cost.normalize().as_tuple().exponent
    many = isinstance(exponent, int) and exponent < -2  # noqa: PLR2004 two decimals
    return f"{cost.normalize() if many else cost.quantize(_CENTS):f}"
