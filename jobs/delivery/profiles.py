"""Channels whose demands are known: the profiles that need no setting."""

from jobs.config.delivery import ProfileSettings

#: Sources of the numbers: docs/delivery.md.
BUILT_IN = {
    "original": ProfileSettings(),
    "google": ProfileSettings(format="jpeg", longest_side=4000, min_side=250, max_bytes=16_000_000),
    "amazon": ProfileSettings(
        format="jpeg",
        longest_side=10_000,
        min_side=500,
        max_bytes=10_000_000,
        name="{sku}.PT{number:02d}.{ext}",
    ),
    "shopify": ProfileSettings(
        format="jpeg", size=(2048, 2048), max_bytes=20_000_000, name="{sku}__{person}__v{version}.{ext}"
    ),
    "akeneo": ProfileSettings(format="jpeg", max_bytes=20_000_000, name="{sku}_{person}_{version}.{ext}"),
}
