"""The manifest: its fields are those of the CRD, and it says what the study says, whatever that is."""

import base64
import json
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from tune_reg import Study
from tune_reg.cluster import KubeRay, Nodes, Submission, rayjob
from tune_reg.errors import ClusterError

#: The parts of the CRD that the manifest uses, with the version of KubeRay that they are of.
SCHEMA = json.loads((Path(__file__).parent / "rayjob_crd.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def faults(job):
    """The places of a manifest that differ from the CRD, each with what is wrong; a field that it lacks is one."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(job)]


def submission_of(study, out="/storage/out", **more):
    return Submission(study, out, **more)


def documents(text):
    config, job = yaml.safe_load_all(text)
    return config, job


def test_the_fields_are_those_of_the_crd(study_of):
    config, job = documents(rayjob(submission_of(study_of()), Nodes(count=3, gpus=2), KubeRay()))
    assert faults(job) == []
    assert (config["apiVersion"], config["kind"], set(config)) == (
        "v1",
        "ConfigMap",
        {"apiVersion", "kind", "metadata", "data"},
    )
    assert config["metadata"]["name"] == job["metadata"]["name"]
    (workers,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"] == 3
    # Longer than Ray waits for a node to be left after a SIGTERM, which is 30 s.
    assert workers["template"]["spec"]["terminationGracePeriodSeconds"] == 60
    (container,) = workers["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "4", "memory": "16G", "nvidia.com/gpu": "2"}


def test_the_check_finds_faults(study_of):
    """The check above would find faults, if there were any."""
    _, job = documents(rayjob(submission_of(study_of()), Nodes(), KubeRay()))
    job["spec"]["backofLimit"] = 3
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0
    job["spec"]["rayClusterSpec"]["authOptions"]["mode"] = "tokens"
    del job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["groupName"]
    job["spec"]["ttlSecondsAfterFinished"] = "600"
    (container,) = pods(job)[0]["containers"]
    container["volumeMount"] = container.pop("volumeMounts")
    container["resources"]["limits"]["memory"] = "8 GB"
    del container["ports"][0]["containerPort"]
    job["metadata"]["name"] = "1-begins-with-a-digit"
    places = sorted(fault.partition(": ")[0] for fault in faults(job))
    cluster = "$.spec.rayClusterSpec"
    head = f"{cluster}.headGroupSpec"
    first = f"{head}.template.spec.containers[0]"
    assert places == sorted(
        [
            "$.metadata.name",
            "$.spec",
            "$.spec.ttlSecondsAfterFinished",
            f"{cluster}.authOptions.mode",
            f"{cluster}.workerGroupSpecs[0]",
            f"{head}.rayStartParams['num-cpus']",
            first,
            f"{first}.ports[0]",
            f"{first}.resources.limits.memory",
        ]
    )


def test_authentication_is_on_and_there_is_no_secret(study_of):
    text = rayjob(submission_of(study_of()), Nodes(), KubeRay())
    _, job = documents(text)
    assert job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert job["spec"]["rayClusterSpec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert "env" not in text.replace("environment", "")
    assert "kind: Secret" not in text


def pods(job):
    cluster = job["spec"]["rayClusterSpec"]
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def test_results_in_a_bucket_need_no_volume(study_of):
    config, job = documents(rayjob(submission_of(study_of(), "s3://bucket/it's"), Nodes(), KubeRay()))
    assert faults(job) == []
    assert [[volume["name"] for volume in pod["volumes"]] for pod in pods(job)] == [["study"], ["study"]]
    words = shlex.split(config["data"]["run.sh"].splitlines()[-1])
    assert words[words.index("--out") + 1] == "s3://bucket/it's"
    assert "--data" not in config["data"]["run.sh"]
    assert not any("envFrom" in container for pod in pods(job) for container in pod["containers"])


def test_credentials_come_from_a_secret_that_is_named(study_of):
    text = rayjob(submission_of(study_of(), "s3://bucket/out"), Nodes(), KubeRay(secret="aws"))
    _, job = documents(text)
    assert faults(job) == []
    for pod in pods(job):
        (container,) = pod["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "aws"}}]
    assert "kind: Secret" not in text


def test_data_may_lie_on_a_volume_and_results_in_a_bucket(study_of):
    config, job = documents(rayjob(submission_of(study_of(), "s3://bucket/out"), Nodes(), KubeRay(claim="data")))
    assert faults(job) == []
    for pod in pods(job):
        (storage,) = [volume for volume in pod["volumes"] if volume["name"] == "storage"]
        assert storage["persistentVolumeClaim"] == {"claimName": "data"}
        (container,) = pod["containers"]
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/study", "/storage"]
    assert config["data"]["run.sh"].count("--data /storage/data") == 2


def test_any_name_and_path_stay_what_they_are(study_of, awkward_texts):
    for text in awkward_texts:
        if not text.isprintable():
            continue
        study = study_of(name=text)
        out, data = f"/storage/{text}", f"/storage/data {text}"
        config, job = documents(rayjob(submission_of(study, out, data=data), Nodes(), KubeRay()))
        assert faults(job) == []
        assert job["metadata"]["annotations"]["tune-reg/study"] == text
        assert job["spec"]["entrypoint"] == "bash /study/run.sh"
        assert Study(**tomllib.loads(config["data"]["study.toml"])).name == text
        words = shlex.split(config["data"]["run.sh"].splitlines()[-1])
        assert words[words.index("--out") + 1] == out
        assert words[words.index("--data") + 1] == data


def test_names_that_are_no_text_for_a_terminal_stay_too(study_of, awkward_texts):
    for text in awkward_texts:
        config, job = documents(rayjob(submission_of(study_of(name=text)), Nodes(), KubeRay()))
        assert job["metadata"]["annotations"]["tune-reg/study"] == text
        assert Study(**tomllib.loads(config["data"]["study.toml"])).name == text


def test_plugins_arrive_byte_for_byte(study_of):
    content = b"# \xc3\xa9 \xff\r\n$(id)"
    config, _ = documents(rayjob(submission_of(study_of(), plugins={"my_plugin.py": content}), Nodes(), KubeRay()))
    assert base64.b64decode(config["binaryData"]["my_plugin.py"]) == content
    assert "--plugin /study/my_plugin.py" in config["data"]["run.sh"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda s: rayjob(submission_of(s, "/elsewhere"), Nodes(), KubeRay()), "--out: must lie under /storage"),
        (lambda s: rayjob(submission_of(s, "/storage/../etc"), Nodes(), KubeRay()), "--out: must lie under /storage"),
        (lambda s: rayjob(submission_of(s, "file:///elsewhere"), Nodes(), KubeRay()), "--out: must lie under /storage"),
        (
            lambda s: rayjob(submission_of(s, "s3://b/out", data="/data"), Nodes(), KubeRay(claim="data")),
            "--data: must lie under /storage",
        ),
        (lambda s: rayjob(submission_of(s, data="data"), Nodes(), KubeRay()), "--data: must lie under /storage"),
        (lambda s: KubeRay(image='a"\nb'), "--image: must be the name of a container image"),
        (lambda s: KubeRay(claim="Tune_Reg"), "--claim: must be the name of a PersistentVolumeClaim"),
        (lambda s: KubeRay(secret="aws: x"), "--secret: must be the name of a Secret"),
        (lambda s: rayjob(submission_of(s, plugins={"a.py": b"x" * 800_000}), Nodes(), KubeRay()), "a ConfigMap holds"),
    ],
)
def test_a_mistake_is_one_line(study_of, wrong, message):
    with pytest.raises(ClusterError, match=message) as error:
        wrong(study_of())
    assert "\n" not in str(error.value)
