"""A small decoder that generates tokens one at a time, as an inference server does."""

import torch

import window

TOKENS, WIDTH, LAYERS = 64, 256, 4


class Decoder:
    def __init__(self, matmul):
        self.matmul = matmul
        self.weights = [torch.randn(WIDTH, WIDTH, device="cuda") / WIDTH**0.5 for _ in range(LAYERS)]
        self.cache = torch.randn(LAYERS, TOKENS, WIDTH, device="cuda")
        self.position = 0

    def project(self, weight, state):
        if self.matmul:
            return weight @ state
        return (weight * state).sum(-1)  # a kernel of PyTorch's own, launched through the shared runtime

    def step(self):
        state = torch.randn(WIDTH).to("cuda", non_blocking=True)
        for layer, weight in enumerate(self.weights):
            query = self.project(weight, state)
            share = torch.softmax((self.cache[layer] * query).sum(-1), dim=0)
            state = torch.nn.functional.layer_norm((self.cache[layer] * share[:, None]).sum(0) + state, (WIDTH,))
            self.cache[layer, self.position % TOKENS] = state
        self.position += 1
        return int(state.argmax().item())  # waits for the GPU: the end of the decode step


if __name__ == "__main__":
    options = window.arguments()
    with torch.inference_mode():
        window.run(Decoder(options.matmul).step, options)
