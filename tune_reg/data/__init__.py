"""Data sets in memory, their splits and subsets, batches by index, augmentation on the device."""

from tune_reg.data.augment import crop_flip
from tune_reg.data.batches import batch, gather, to_unit
from tune_reg.data.catalog import DATASETS, at_hand, describe, is_of_code, load
from tune_reg.data.dataset import Dataset, DatasetInfo, from_arrays
from tune_reg.data.given import data_name
from tune_reg.data.split import subset, subset_per_class, train_validation

__all__ = [
    "DATASETS",
    "Dataset",
    "DatasetInfo",
    "at_hand",
    "batch",
    "crop_flip",
    "data_name",
    "describe",
    "from_arrays",
    "gather",
    "is_of_code",
    "load",
    "subset",
    "subset_per_class",
    "to_unit",
    "train_validation",
]
