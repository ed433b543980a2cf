"""What stores of encoded pictures share: one says how a sample's bytes are had, this says what is made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cutaway.dataset.samples import Sample
    from cutaway.image import Image, InputContract


class EncodedStore(ABC):
    """A store whose samples are files' bytes: in an archive, in a table."""

    __slots__ = ()

    @abstractmethod
    def content(self, sample: Sample) -> bytes:
        """Sample -> the bytes of its file. Raises BadPicture with the sample's name."""

    def read(self, sample: Sample, target_px: int | None = None) -> Image:
        """Sample -> its picture. Raises BadPicture with the sample's name."""
        from cutaway.image.read import decode

        return decode(self.content(sample), sample.name, target_px)

    def read_fitted(self, sample: Sample, contract: InputContract) -> Image:
        """Sample, contract -> its picture at the contract's size. Raises BadPicture with the sample's name."""
        from cutaway.image.fit import decode_fitted

        return decode_fitted(self.content(sample), sample.name, contract)
