"""A small network that is trained, with batches copied from the host."""

import torch

import window

BATCH, WIDTH, LAYERS = 32, 128, 3


class Projection(torch.nn.Module):
    def __init__(self, matmul):
        super().__init__()
        self.matmul = matmul
        self.weight = torch.nn.Parameter(torch.randn(WIDTH, WIDTH) / WIDTH**0.5)

    def forward(self, batch):
        if self.matmul:
            return torch.nn.functional.gelu(batch @ self.weight)
        return torch.nn.functional.gelu((batch[:, :, None] * self.weight).sum(1))


class Trainer:
    def __init__(self, matmul):
        self.network = torch.nn.Sequential(*(Projection(matmul) for _ in range(LAYERS))).cuda()
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=1e-3)
        self.batch = torch.randn(BATCH, WIDTH).pin_memory()

    def step(self):
        batch = self.batch.to("cuda", non_blocking=True)
        self.optimizer.zero_grad()
        loss = ((self.network(batch) - batch) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()  # waits for the GPU: the end of the training step


if __name__ == "__main__":
    options = window.arguments()
    window.run(Trainer(options.matmul).step, options)
