"""Samples and folds: where the pictures of a data set are, what a person called them, what is wrong with them."""

from cutaway.dataset.samples import FOLDS as FOLDS
from cutaway.dataset.samples import Dataset as Dataset
from cutaway.dataset.samples import Fold as Fold
from cutaway.dataset.samples import Sample as Sample
from cutaway.dataset.samples import Store as Store
