"""Feature vectors and labels -> a trained head that takes raw vectors, as a backbone gives them."""

from __future__ import annotations

import torch
from torch import nn

from cutaway.training.recipe import Recipe


class Standardised(nn.Module):
    """A head that sees vectors of mean 0 and deviation 1 while it trains; `folded` moves that into its first layer."""

    def __init__(self, vectors: torch.Tensor, classes: int, recipe: Recipe) -> None:
        super().__init__()
        torch.manual_seed(recipe.seed)
        std, mean = torch.std_mean(vectors, 0, correction=0)
        self.register_buffer("mean", mean)
        self.register_buffer("std", torch.where(std > 1e-6, std, 1.0))
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.head = make_head(vectors.shape[1], classes, recipe)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head((vectors - self.mean) / self.std)
        return logits

    def folded(self) -> nn.Sequential:
        """The same function of raw vectors: W' = W / std, b' = b - W' mean."""
        for module in self.head:
            if isinstance(module, nn.Linear):
                with torch.no_grad():
                    module.weight.div_(self.std)
                    module.bias.sub_(module.weight @ self.mean)
                break
        return self.head.eval()


def make_head(features: int, classes: int, recipe: Recipe) -> nn.Sequential:
    """Feature count, class count -> dropout, an optional hidden layer, and the dense layer that gives logits."""
    head = nn.Sequential()
    if recipe.dropout:
        head.add_module("dropout", nn.Dropout(recipe.dropout))
    if recipe.hidden:
        head.add_module("hidden", nn.Linear(features, recipe.hidden))
        head.add_module("relu", nn.ReLU())
        features = recipe.hidden
    dense = nn.Linear(features, classes)
    nn.init.zeros_(dense.weight)  # every class starts equally likely: the first loss is log(K), and the run is calm
    if recipe.hidden:
        nn.init.xavier_uniform_(dense.weight)
    nn.init.zeros_(dense.bias)
    head.add_module("dense", dense)
    return head
