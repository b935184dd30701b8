#!/usr/bin/env bash
# One would expect: az://NAME/… begins with the storage account, as every address of a blob does (https://ACCOUNT.blob.core.windows.net/CONTAINER/…),
#   and that the library says so when the account of the address is not the one of the settings.
# What happens: obstore takes the first part for the container and all that follows for the prefix, whatever the account is. abfss:// and https:// have both,
#   each at another place. az://account/container/… is accepted; its objects go to a container that is called like the account.
# Why it matters here: a delivery whose target was written in the wrong one of four forms fails with "object not found" at its first upload, or lands elsewhere.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check obstore==0.12.1
"$work/venv/bin/python" - <<'EOF'
import importlib.metadata

from obstore.store import from_url

print("obstore", importlib.metadata.version("obstore"))
seen = {}
for address, account in (
    ("az://shop/media/spring", {"account_name": "shop"}),
    ("az://media/spring", {"account_name": "shop"}),
    ("abfss://media@shop.dfs.core.windows.net/spring", {}),
    ("https://shop.blob.core.windows.net/media/spring", {}),
):
    store = from_url(address, account_key="a2V5", **account)
    seen[address] = (store.config["account_name"], store.config["container_name"], str(store.prefix))
    print(f"{address}: account {seen[address][0]}, container {seen[address][1]}, prefix {seen[address][2]}")
assert list(seen.values()) == [("shop", "shop", "media/spring"), *[("shop", "media", "spring")] * 3], seen
EOF
