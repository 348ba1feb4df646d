"""Convolutions of K lanes, each with weights of its own, in the formulation that is the fastest on the device."""

from tune_reg.training.lanes.convolutions.choices import convolution_for
from tune_reg.training.lanes.convolutions.formulations import FORMULATIONS, Formulation, candidates
from tune_reg.training.lanes.convolutions.geometry import Geometry
from tune_reg.training.lanes.convolutions.layer import Layer
from tune_reg.training.lanes.convolutions.measuring import measure
from tune_reg.training.lanes.convolutions.under_vmap import LaneConvolutions

__all__ = [
    "FORMULATIONS",
    "Formulation",
    "Geometry",
    "LaneConvolutions",
    "Layer",
    "candidates",
    "convolution_for",
    "measure",
]
