import pytest

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
