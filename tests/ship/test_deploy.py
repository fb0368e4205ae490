# SPDX-License-Identifier: LGPL-3.0-only
"""Metrics, dashboard and alerts; Kubernetes' manifests; what .github and editors read.

Prometheus' own promtool reads what is meant for it: of the PATH, or out of Debian's package,
which is unpacked and not installed, since that would start a server.
"""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT, need, run
from restd import Daemon

DEPLOY = ROOT / "deploy"


@pytest.fixture(name="promtool", scope="module")
def _promtool():
    found = shutil.which("promtool")
    kept = ROOT / "build-tests" / "prometheus"
    unpacked = kept / "usr" / "bin" / "promtool"
    if found or unpacked.exists():
        return found or unpacked
    need("apt-get", "dpkg-deb")
    kept.mkdir(parents=True, exist_ok=True)
    got = subprocess.run(
        ["apt-get", "download", "prometheus"], cwd=kept, capture_output=True, text=True, check=False
    )
    if got.returncode != 0:
        pytest.skip(f"Debian's package prometheus cannot be had: {got.stderr}")
    run("dpkg-deb", "-x", next(kept.glob("prometheus_*.deb")), kept)
    return unpacked


@pytest.fixture(name="metrics", scope="module")
def _metrics(tmp_path_factory):
    """What /metrics says after some jobs."""
    daemon = Daemon(tmp_path_factory.mktemp("metrics")).start()
    try:
        daemon.run("true")
        daemon.run("false")
        reply = daemon.get("/metrics")
        assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
        yield reply.text
        daemon.finish()
    finally:
        daemon.kill()


def names(metrics):
    return set(re.findall(r"^(\w+?)(?:\{|\s)", metrics, re.M))


def test_prometheus_reads_the_metrics(promtool, metrics, tmp_path):
    """By its OpenMetrics parser, which here wants a time behind each sample."""
    timed = re.sub(r"(?m)^([^#\n].*)$", r"\1 1700000000", metrics)
    (tmp_path / "metrics").write_text(timed)
    run(promtool, "tsdb", "create-blocks-from", "openmetrics", tmp_path / "metrics", tmp_path / "out")


def test_prometheus_refuses_what_is_wrong(promtool, metrics, tmp_path):
    """The check above can fail."""
    (tmp_path / "metrics").write_text(metrics.replace("# TYPE", "# TYPO", 1))
    with pytest.raises(AssertionError):
        run(promtool, "tsdb", "create-blocks-from", "openmetrics", tmp_path / "metrics",
            tmp_path / "out")  # fmt: skip


def test_alerts(promtool, metrics):
    path = DEPLOY / "prometheus" / "alerts.yaml"
    assert "SUCCESS" in run(promtool, "check", "rules", path)
    asked = set(re.findall(r"flux_restd_\w+", path.read_text()))
    assert asked and asked <= names(metrics)


def test_dashboard(metrics):
    text = (DEPLOY / "prometheus" / "grafana.json").read_text()
    dashboard = json.loads(text)
    asked = set(re.findall(r"flux_restd_\w+", text))
    assert asked and asked <= names(metrics)
    spots = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in dashboard["panels"]]
    assert len(spots) == len(set(spots))


def test_yaml():
    need("yamllint")
    rules = "{extends: default, rules: {line-length: {max: 120}, document-start: disable, "
    rules += "truthy: {check-keys: false}, comments: disable}}"
    files = [*DEPLOY.rglob("*.yaml"), *(ROOT / ".github").rglob("*.y*ml"), ROOT / "mkdocs.yml"]
    run("yamllint", "--strict", "-d", rules, *files, ROOT / ".pre-commit-config.yaml")


STRING = {"type": "string"}
QUANTITY = {"type": "string", "pattern": r"^\d+(m|Ki|Mi|Gi)?$"}


def member(required=(), **properties):
    """A JSON schema of an object with these members and no other."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(required),
    }


def listed(item):
    return {"type": "array", "items": item, "minItems": 1}


# What the manifests use of Kubernetes' Pod and Service v1 and of the Flux Operator's MiniCluster
# v1alpha2, by their published definitions. No cluster has read them.
META = member(["name"], name=STRING, labels={"additionalProperties": STRING})
PROBE = member(
    ["exec"], exec=member(["command"], command=listed(STRING)), periodSeconds={"type": "integer"},
    failureThreshold={"type": "integer"},
)  # fmt: skip
SECRET = member(["name", "key"], name=STRING, key=STRING)
ENV = member(["name"], name=STRING, value=STRING, valueFrom=member(secretKeyRef=SECRET))
AMOUNTS = {"type": "object", "additionalProperties": QUANTITY}
SCHEMAS = {
    "Pod": member(
        ["apiVersion", "kind", "metadata", "spec"], apiVersion={"const": "v1"}, kind=STRING,
        metadata=META, spec=member(
            ["containers"], enableServiceLinks={"type": "boolean"},
            automountServiceAccountToken={"type": "boolean"},
            terminationGracePeriodSeconds={"type": "integer"},
            containers=listed(member(
                ["name", "image"], name=STRING, image=STRING, env=listed(ENV),
                ports=listed(member(["containerPort"], name=STRING,
                                    containerPort={"type": "integer"})),
                startupProbe=PROBE, readinessProbe=PROBE, livenessProbe=PROBE,
                resources=member(requests=AMOUNTS, limits=AMOUNTS),
                securityContext=member(allowPrivilegeEscalation={"type": "boolean"}),
            )),
        ),
    ),
    "Service": member(
        ["apiVersion", "kind", "metadata", "spec"], apiVersion={"const": "v1"}, kind=STRING,
        metadata=META, spec=member(
            selector={"additionalProperties": STRING},
            ports=listed(member(["port"], name=STRING, port={"type": "integer"},
                                targetPort=STRING)),
        ),
    ),
    "MiniCluster": member(
        ["apiVersion", "kind", "metadata", "spec"], kind=STRING, metadata=META,
        apiVersion={"const": "flux-framework.org/v1alpha2"}, spec=member(
            size={"type": "integer"}, cleanup={"type": "boolean"},
            flux=member(container=member(disable={"type": "boolean"})),
            containers=listed(member(
                image=STRING, launcher={"type": "boolean"}, command=STRING,
                ports=listed({"type": "integer"}), environment={"additionalProperties": STRING},
                secrets={"additionalProperties": SECRET},
            )),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["pod.yaml", "minicluster.yaml"])
def test_manifests(name):
    jsonschema = pytest.importorskip("jsonschema")
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))
    assert documents
    for document in documents:
        jsonschema.validate(document, SCHEMAS[document["kind"]])
        assert "12345" not in json.dumps(document)


def test_images_are_of_this_version():
    version = run("tools/version").strip()
    for path in (DEPLOY / "kubernetes").glob("*.yaml"):
        assert set(re.findall(r"image: flux-restd:(.*)", path.read_text())) == {version}


def test_the_workflow_runs_the_two_commands():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yaml").read_text())
    runs = [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    assert "make build" in runs and "make test" in runs


def test_devcontainer():
    folder = ROOT / ".devcontainer"
    config = json.loads((folder / "devcontainer.json").read_text())
    assert (folder / config["build"]["dockerfile"]).is_file()
    # All the purposes that the Makefile installs for.
    asked = set()
    for line in re.findall(r"tools/install-packages ([a-z ]+)", (ROOT / "Makefile").read_text()):
        asked |= set(line.split())
    there = re.search(r"install-packages ([a-z ]+)", (folder / "Dockerfile").read_text()).group(1)
    assert asked - {"testdeb"} == set(there.split())


def test_shell_scripts():
    need("shellcheck")
    scripts = [ROOT / "packaging/container/entrypoint", ROOT / "tests/deb/run",
               ROOT / "tests/deb/in-root", *(ROOT / "debian").glob("*.post*")]  # fmt: skip
    for path in (ROOT / "tools").iterdir():
        if path.is_file() and re.match(r"#!/bin/(ba)?sh", path.read_text(errors="replace")):
            scripts.append(path)
    run("shellcheck", "--severity=warning", "--exclude=SC1091", *scripts)
