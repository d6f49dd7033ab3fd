"""Networks: linen modules behind the two records of `ganjax.players`."""
