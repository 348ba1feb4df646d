"""Lanes: many runs of one architecture side by side, as one batched network."""

from tune_reg.training.lanes.choice import LaneChoice, choose_lanes, remembered_lanes
from tune_reg.training.lanes.count import Measured, lanes_that_pay
from tune_reg.training.lanes.engine import Lane, LaneEngine
from tune_reg.training.lanes.key import LaneKey, lane_key
from tune_reg.training.lanes.networks import LaneNetworks
from tune_reg.training.lanes.rate import measured

__all__ = [
    "Lane",
    "LaneChoice",
    "LaneEngine",
    "LaneKey",
    "LaneNetworks",
    "Measured",
    "choose_lanes",
    "lane_key",
    "lanes_that_pay",
    "measured",
    "remembered_lanes",
]
