import pytest

from tune_reg.cli import doctor
from tune_reg.cli.doctor import examine


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # foolbox imports a name of scipy that is going
def test_it_finds_what_is_here(ray_cluster):
    # The fixture starts Ray with the function that the doctor tries, which finds it running then.
    findings = {finding.what: finding for finding in examine()}
    assert findings["torch"].ok
    assert findings["Ray starts"].ok
    assert findings["data set digits"].ok
    assert not [finding for finding in findings.values() if finding.ok is False]


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_names_gpus_that_torch_cannot_see_and_the_file_of_lanes(ray_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(doctor, "counted_by_ray", lambda: 2.0)
    monkeypatch.setattr("tune_reg.training.lanes.choice.cache", lambda: tmp_path)
    assert "lanes" not in {finding.what for finding in examine()}
    (tmp_path / "lanes.json").write_text('{"one": [4, 2.5, "a"], "two": [1, 1.0, "a"], "damaged": 3}')
    findings = {finding.what: finding for finding in examine()}
    assert findings["Ray's GPUs"].ok is False
    assert "gpus = 0 under [resources]" in findings["Ray's GPUs"].detail
    assert findings["lanes"].detail.startswith(f"measured for 2 kinds of runs, in {tmp_path / 'lanes.json'};")
