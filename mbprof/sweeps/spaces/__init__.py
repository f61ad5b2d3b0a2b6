"""Design spaces: how many networks a spec's knobs make, what they cost, and the best of them."""
