"""A study whose model or data were given in Python does not travel as a file."""

import pytest
from digits import digits_study

from tune_reg.cluster.submission import Submission
from tune_reg.errors import ClusterError


def test_what_was_given_in_python_is_refused_by_its_key():
    study = digits_study(model=lambda channels, image_size, classes: None)
    with pytest.raises(ClusterError, match="model: was given in Python, and does not travel with a study file"):
        Submission.read(study, "/shared/out")
