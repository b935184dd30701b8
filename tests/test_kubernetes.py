"""The manifests of docs/deploy/kubernetes: valid by Kubernetes' own schemas, and what they name is there."""

import json
import os
import re
import shutil
import subprocess
import textwrap
from base64 import b64decode
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from dramatiq.cli import make_argument_parser
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError

from jobs.cli.commands import load
from jobs.config.exit_codes import ExitCode
from jobs.config.load import read_settings
from jobs.errors import ConfigError
from worker.alive import STALE_S

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "deploy" / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
README = (FOLDER / "README.md").read_text(encoding="utf-8")
#: The oldest one that has what is used (podFailurePolicy), and the newest one that the validator knows.
VERSIONS = ("1.31", "1.37")
#: Settings of the folder's config.yaml, without what stands in variables.
SETTINGS = read_settings(FOLDER / "config.yaml", {})
_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_COUNT = {"type": "integer", "minimum": 0}


def _closed(required: str, **properties: Any) -> dict[str, Any]:
    """An object with these fields and no others; `required` with blanks between."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


#: Of what is no part of Kubernetes the fields that are used, as these say: keda.sh/docs/2.9/concepts/scaling-deployments,
#: …/scalers/redis-lists, …/concepts/authentication, and the PodMonitor of prometheus-operator.dev/docs/api-reference/api.
#: Their own schemas are packaged for npm only (@kubernetes-models/keda, @kubernetes-models/prometheus-operator).
CUSTOM = {
    ("keda.sh/v1alpha1", "ScaledObject"): _closed(
        "scaleTargetRef triggers",
        scaleTargetRef=_closed("name", name=_TEXT),
        minReplicaCount=_COUNT,
        maxReplicaCount=_COUNT,
        pollingInterval=_COUNT,
        cooldownPeriod=_COUNT,
        triggers={
            "type": "array",
            "items": _closed(
                "type metadata",
                type={"const": "redis"},
                # KEDA takes texts only.
                metadata=_closed(
                    "address listName listLength",
                    address={"type": "string", "pattern": r"^[^:]+:\d+$"},
                    listName=_TEXT,
                    listLength={"type": "string", "pattern": r"^\d+$"},
                    activationListLength={"type": "string", "pattern": r"^\d+$"},
                    databaseIndex={"type": "string", "pattern": r"^\d+$"},
                ),
                authenticationRef=_closed("name", name=_TEXT),
            ),
        },
    ),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): _closed(
        "secretTargetRef",
        secretTargetRef={
            "type": "array",
            "items": _closed("parameter name key", parameter={"const": "password"}, name=_TEXT, key=_TEXT),
        },
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): _closed(
        "selector podMetricsEndpoints",
        selector=_closed("matchLabels", matchLabels=_TEXTS),
        podMetricsEndpoints={
            "type": "array",
            "items": _closed("port", port=_TEXT, interval={"type": "string", "pattern": r"^\d+[smh]$"}),
        },
    ),
}


def read(name: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")) if each]


LISTED = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
FILES = sorted(
    path.name for path in FOLDER.glob("*.yaml") if path.name not in {"kustomization.yaml", "config.yaml"}
)
DOCUMENTS = [(name, document) for name in FILES for document in read(name)]
EVERY = [document for _, document in DOCUMENTS]


def called(document: dict[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def of(kind: str) -> list[dict[str, Any]]:
    return [each for each in EVERY if each["kind"] == kind]


def templates() -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and pod template of whatever makes pods."""
    for each in EVERY:
        spec = each["spec"]["jobTemplate"]["spec"] if each["kind"] == "CronJob" else each.get("spec", {})
        if "template" in spec:
            yield each["metadata"]["name"], spec["template"]


PODS = dict(templates())
OURS = {name: pod for name, pod in PODS.items() if name.startswith("vton-")}
WORKERS = ("vton-submit", "vton-collect")


def container(name: str) -> dict[str, Any]:
    (only,) = PODS[name]["spec"]["containers"]
    return only


def check(document: dict[str, Any], version: str) -> None:
    """Raises ValidationError: by Kubernetes' schema, strictly, or by the fields of a custom resource."""
    custom = CUSTOM.get((document["apiVersion"], document["kind"]))
    if custom is None:
        kubernetes_validate.validate(document, version, strict=True)
    else:
        jsonschema.validate(document["spec"], custom)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "document", EVERY, ids=[f"{name}-{called(document)}" for name, document in DOCUMENTS]
)
def test_a_manifest_is_valid(document, version):
    check(document, version)


def _misspelt(deployment: dict[str, Any]) -> None:
    context = deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    context["readOnlyRootFilesytem"] = context.pop("readOnlyRootFilesystem")


def _text_for_a_number(deployment: dict[str, Any]) -> None:
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = "90"


def _number_for_a_text(deployment: dict[str, Any]) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["command"][3] = 1


def _left_out(deployment: dict[str, Any]) -> None:
    del deployment["spec"]["selector"]


@pytest.mark.parametrize("spoil", [_misspelt, _text_for_a_number, _number_for_a_text, _left_out])
def test_a_broken_manifest_is_refused(spoil):
    broken = deepcopy(read("submit.yaml")[0])
    check(broken, VERSIONS[0])
    spoil(broken)
    with pytest.raises(ValidationError):
        check(broken, VERSIONS[0])


@pytest.mark.parametrize(("apart", "number"), [("keda.yaml", 1), ("monitoring.yaml", 0)])
def test_a_broken_custom_resource_is_refused(apart, number):
    broken = deepcopy(read(apart)[number])
    check(broken, VERSIONS[0])
    broken["spec"]["nonsense"] = True
    with pytest.raises(jsonschema.ValidationError):
        check(broken, VERSIONS[0])


def test_a_kind_that_nobody_knows_is_refused():
    with pytest.raises(SchemaNotFoundError):
        check({"apiVersion": "apps/v1", "kind": "Deploy"}, VERSIONS[0])


def test_every_file_is_listed_and_described():
    text = (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")
    apart = {"keda.yaml", "monitoring.yaml"}
    assert set(LISTED["resources"]) == set(FILES) - apart
    assert all(f"  # - {name} " in text for name in apart)
    assert all(f"({name})" in README for name in [*FILES, "kustomization.yaml", "config.yaml"])


def test_kubectl_builds_what_is_listed():
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl here")
    built = subprocess.run(["kubectl", "kustomize", FOLDER], check=True, capture_output=True, timeout=120)
    documents = list(yaml.safe_load_all(built.stdout))
    for document in documents:
        check(document, VERSIONS[0])
        assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "vton"
    (made,) = [each for each in documents if each["kind"] == "ConfigMap"]
    mounted = {
        volume["configMap"]["name"]
        for each in documents
        if each["kind"] == "Deployment"
        for volume in each["spec"]["template"]["spec"]["volumes"]
        if "configMap" in volume
    }
    assert mounted == {made["metadata"]["name"]}, "another content is another name: pods are started anew"


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_confined(name):
    pod, only = PODS[name]["spec"], container(name)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert only["resources"]["limits"]["memory"]
    (tmp,) = [volume for volume in pod["volumes"] if volume["name"] == "tmp"]
    assert tmp["emptyDir"]["sizeLimit"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


@pytest.mark.parametrize("name", OURS)
def test_a_pod_runs_as_the_images_user(name):
    assert "USER 10001:10001" in DOCKERFILE
    context = PODS[name]["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (10001, 10001, 10001)


def test_the_variables_that_kubernetes_makes_of_services_would_stop_every_pod():
    services = [service["metadata"]["name"] for service in of("Service")]
    made = {f"{name.upper().replace('-', '_')}_PORT": "tcp://10.0.0.1:8780" for name in services}
    with pytest.raises(ConfigError, match="unknown setting"):
        read_settings(FOLDER / "config.yaml", made)
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in PODS.values())


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_pod_is_one_that_it_takes(name, tmp_path):
    pod, only = PODS[name]["spec"], container(name)
    (secrets,) = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "secrets"]
    (where,) = [mount["mountPath"] for mount in only["volumeMounts"] if mount["name"] == "secrets"]
    environ, files = {}, set()
    for variable in only["env"]:
        if variable["name"].endswith("_FILE"):
            file = Path(variable["value"])
            assert file.parent == Path(where)
            files.add(file.name)
            (tmp_path / file.name).write_text("redis://redis:6379" if file.name == "redis_url" else "s" * 32)
            environ[variable["name"]] = str(tmp_path / file.name)
        else:
            environ[variable["name"]] = variable["value"]
    settings = read_settings(FOLDER / "config.yaml", environ)
    assert settings.redis.url.get_secret_value() == "redis://redis:6379"
    assert files == {item["path"] for item in secrets["items"]} == {item["key"] for item in secrets["items"]}
    assert not any(re.search(r"(TOKEN|SECRET|KEY|URL)$", each["name"]) for each in only["env"])
    assert {"HIDREAM_TOKEN_FILE" in environ, "hidream_token" in files} == {name in WORKERS}


@pytest.mark.parametrize("name", OURS)
def test_the_folders_are_the_images(name):
    mounts = {mount["name"]: mount for mount in container(name)["volumeMounts"]}
    assert f"VTON_CONFIG={mounts['config']['mountPath']}/config.yaml" in DOCKERFILE
    assert f"VTON_DATA_DIR={mounts['data']['mountPath']}" in DOCKERFILE
    assert "out" not in mounts or f"VTON_OUTPUT_DIR={mounts['out']['mountPath']}" in DOCKERFILE
    assert "catalog" not in mounts or mounts["catalog"]["readOnly"] is True
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in PODS[name]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    # One claim for all pods: accepted answers, the ledger's mark and pictures are found by whoever comes next.
    assert claims == {each: f"vton-{each}" for each in claims}
    shared = {each["metadata"]["name"]: each["spec"]["accessModes"] for each in of("PersistentVolumeClaim")}
    assert all(shared[claim] == ["ReadWriteMany"] for claim in claims.values())


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_understood_by_its_program(name):
    program, *words = container(name)["command"]
    if program == "dramatiq":
        parsed = make_argument_parser().parse_args(words)
        assert (parsed.broker, parsed.processes) == ("worker.app", 1)
        assert [f"vton-{queue}" for queue in parsed.queues] == [name]
        return
    command = load(words[0])
    with command.make_context(words[0], words[1:]) as context:
        assert context.command.name == words[0]


@pytest.mark.parametrize("name", WORKERS)
def test_a_post_under_way_is_finished_before_its_pod_is_killed(name):
    # Importing it would begin a worker.
    (record_s,) = re.findall(
        r"^RECORD_S = ([\d.]+)$", (ROOT / "worker" / "app.py").read_text("utf-8"), re.MULTILINE
    )
    longest_s = SETTINGS.hidream.submit_timeout_s + float(record_s)
    assert PODS[name]["spec"]["terminationGracePeriodSeconds"] >= longest_s + 15


@pytest.mark.parametrize("name", WORKERS)
def test_the_probes_look_at_the_file_that_the_images_workers_touch(name):
    (file,) = re.findall(r"VTON_WORKERS__ALIVE_FILE=(\S+)", DOCKERFILE)
    only = container(name)
    assert any(mount["mountPath"] == "/tmp" for mount in only["volumeMounts"])
    assert file.startswith("/tmp/")
    look = ["python", "-m", "worker.alive"]
    assert (
        only["livenessProbe"]["exec"]["command"] == only["startupProbe"]["exec"]["command"] == [*look, file]
    )
    assert only["readinessProbe"]["exec"]["command"] == [*look, "--ready", file]
    (checked,) = re.findall(r"^ *CMD (\[.*worker\.alive.*\])$", DOCKERFILE, re.MULTILINE)
    assert json.loads(checked) == only["readinessProbe"]["exec"]["command"]
    probe = only["livenessProbe"]
    assert STALE_S + probe["periodSeconds"] * (probe["failureThreshold"] - 1) >= 120, "README, Probes"


def test_a_rolling_update_never_has_fewer_workers():
    for deployment in of("Deployment"):
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_there_is_one_redis_and_it_forgets_nothing():
    (redis,) = of("StatefulSet")
    assert redis["spec"]["replicas"] == 1
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["redis"]

    def lines(script: str) -> list[str]:
        return re.findall(
            r'echo "(.+)"', script.replace("$$", "$").replace("/run/secrets/redis/", "/run/secrets/")
        )

    standby = ("masterauth ", "replica-announce-ip ", "replicaof ")
    alone = [line for line in lines(compose["command"][2]) if not line.startswith(standby)]
    assert lines(container("redis")["command"][2]) == alone
    assert container("redis")["image"] == compose["image"]


def test_every_image_is_pinned_by_its_whole_version():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    images = {service["image"] for service in compose["services"].values()}
    images |= {container(name)["image"] for name in PODS}
    images |= set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert len(images) == 3
    assert all(re.search(r":\d+\.\d+\.\d+(-[a-z-]+)?$", image) for image in images), images
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version
    assert [image["newTag"] for image in LISTED["images"]] == [version[1]]
    assert f"vton-batch:{version[1]}" in images


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def selected(selector: dict[str, Any]) -> set[str]:
    return {name for name, pod in PODS.items() if matches(selector, pod["metadata"]["labels"])}


def test_every_selector_finds_the_pods_that_its_name_says():
    for each in of("Deployment") + of("StatefulSet") + of("PodDisruptionBudget"):
        assert selected(each["spec"]["selector"]) == {each["metadata"]["name"]}
    for service in of("Service"):
        (name,) = selected({"matchLabels": service["spec"]["selector"]})
        assert name == service["metadata"]["name"]
        ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
        assert all(ports[port["targetPort"]] == port["port"] for port in service["spec"]["ports"])
    (monitor,) = of("PodMonitor")
    assert selected(monitor["spec"]["selector"]) == OURS.keys()
    (scaled,) = of("ScaledObject")
    assert scaled["spec"]["scaleTargetRef"]["name"] in {each["metadata"]["name"] for each in of("Deployment")}
    (asked,) = of("TriggerAuthentication")
    assert scaled["spec"]["triggers"][0]["authenticationRef"]["name"] == asked["metadata"]["name"]


def test_a_scaler_is_not_undone_by_applying_again():
    (scaled,) = of("ScaledObject")
    (target,) = [each for each in of("Deployment") if each["metadata"]["name"] == "vton-submit"]
    assert "replicas" not in target["spec"]
    assert (
        scaled["spec"]["cooldownPeriod"] > target["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    )


def reaches(source: str, port: int, *, target: str = "", address: bool = False) -> bool:
    """Whether the policies let a pod reach another one's port (or a public address); as Kubernetes adds them up."""

    def allowed(direction: str, at: str, peer: dict[str, str] | None) -> bool:
        policies = [
            policy["spec"]
            for policy in of("NetworkPolicy")
            if at in selected(policy["spec"]["podSelector"]) and direction in policy["spec"]["policyTypes"]
        ]
        assert policies, f"nothing says who may reach {at}"
        side = "from" if direction == "Ingress" else "to"
        rules = [rule for spec in policies for rule in spec.get(direction.lower(), [])]
        return any(
            port in {each["port"] for each in rule["ports"]}
            and any(
                "ipBlock" in each if peer is None else matches(each["podSelector"], peer)
                for each in rule[side]
                if peer is None or "podSelector" in each
            )
            for rule in rules
        )

    if address:
        return allowed("Egress", source, None)
    labels = {name: pod["metadata"]["labels"] for name, pod in PODS.items()}
    return allowed("Egress", source, labels[target]) and allowed("Ingress", target, labels[source])


def test_pods_reach_what_they_need_and_nothing_else():
    assert {name for name in PODS if name != "redis" and reaches(name, 6379, target="redis")} == OURS.keys()
    assert {name for name in PODS if reaches(name, 443, address=True)} == set(WORKERS)
    assert not any(reaches(name, 80, address=True) for name in PODS)
    assert not any(reaches(name, 8780, target="vton-receiver") for name in PODS)
    assert not reaches("redis", 9100, target="vton-submit")


def test_the_policies_name_the_ports_that_are_served():
    served = {port["containerPort"] for name in PODS for port in container(name).get("ports", [])}
    named = {
        each["port"]
        for policy in of("NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        for each in rule["ports"]
    }
    assert named == served
    assert (SETTINGS.callbacks.port, SETTINGS.metrics.port) == (8780, 9100)


def test_a_job_that_only_a_person_can_help_is_not_tried_again():
    (cron,) = of("CronJob")
    job = cron["spec"]["jobTemplate"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert set(rule["onExitCodes"]["values"]) == {ExitCode.USAGE, ExitCode.NOT_FOUND, ExitCode.CONFIG}
    assert job["template"]["spec"]["restartPolicy"] == "Never", "podFailurePolicy wants that"
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"


BLOCKS = [
    textwrap.dedent(block)
    for block in re.findall(r"^ *```sh\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)
]


def test_the_steps_are_ones_that_a_shell_and_the_product_understand():
    assert BLOCKS
    for block in BLOCKS:
        subprocess.run(["/bin/sh", "-n"], input=block, text=True, check=True)
    said = [words.split() for words in re.findall(r"-- vton (.+)", "\n".join(BLOCKS))]
    assert said
    for name, *words in said:
        with load(name).make_context(name, words) as context:
            assert context.command.name == name
    named = set(re.findall(r"(?:deployment|cronjob)/([\w-]+)", README))
    assert named <= {each["metadata"]["name"] for each in of("Deployment") + of("CronJob")}


def test_the_steps_make_secrets_of_the_right_files(tmp_path):
    """The very lines, with a kubectl that asks no cluster."""
    real, openssl = shutil.which("kubectl"), shutil.which("openssl")
    if real is None or openssl is None:
        pytest.skip("no kubectl or no openssl here")
    (block,) = [each for each in BLOCKS if "create secret" in each]
    shim, made = tmp_path / "kubectl", tmp_path / "made.yaml"
    shim.write_text(f'#!/bin/sh\nexec "{real}" "$@" --dry-run=client -o yaml >> "{made}"\n')
    shim.chmod(0o700)
    (tmp_path / "token").write_text("sk-letters")
    script = block.replace("/path/to/token", str(tmp_path / "token")).replace(
        "\nkubectl", f"\necho --- >> {made}\nkubectl"
    )
    subprocess.run(
        ["/bin/sh", "-ec", script],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
        timeout=120,
    )
    secrets = {
        each["metadata"]["name"]: {key: b64decode(text).decode() for key, text in each["data"].items()}
        for each in yaml.safe_load_all(made.read_text(encoding="utf-8"))
        if each and each["kind"] == "Secret"
    }
    password = secrets["vton-redis"]["redis_password"]
    assert secrets["vton"]["redis_url"] == f"redis://:{password}@redis:6379"
    assert secrets["vton"]["hidream_token"] == "sk-letters"
    assert not [path for path in tmp_path.iterdir() if path.name in {"redis_url", "callback_secret"}]


def test_the_secrets_of_the_steps_are_those_of_the_pods():
    made = {
        name: set(re.findall(r"--from-(?:file|literal)=(\w+)", words))
        for name, words in re.findall(r"create secret generic (\S+) (.+)", README)
    }
    used: dict[str, set[str]] = {"vton-redis": {"redis_password"}}
    for pod in OURS.values():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                names = {item["key"] for item in volume["secret"]["items"]}
                used.setdefault(volume["secret"]["secretName"], set()).update(names)
    assert made == used
