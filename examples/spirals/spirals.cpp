#include <cmath>
#include <cstdio>

#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/optim.h"

using namespace hanok;

int main() {
  std::vector<float> points;          // x and y of each
  std::vector<std::int64_t> classes;  // the spiral that it lies on
  for (int i = 0; i < 400; ++i) {
    const float angle = 0.015F * static_cast<float>(i);
    const float radius = i % 2 == 0 ? angle : -angle;
    points.insert(points.end(), {radius * std::cos(angle), radius * std::sin(angle)});
    classes.push_back(i % 2);
  }
  const Tensor x = Tensor::from_vector(points, {400, 2});
  const Tensor y = Tensor::from_vector(classes, {400});

  Generator::global().set_seed(1);
  nn::Sequential net;
  net.append(std::make_unique<nn::Linear>(2, 64));
  net.append(std::make_unique<nn::ReLU>());
  net.append(std::make_unique<nn::Linear>(64, 2));
  const auto optimizer = nn::make_adamw({{"all", net.parameters()}}, {.learning_rate = 0.02});
  for (int step = 1; step <= 500; ++step) {
    optimizer->zero_grad();
    const Tensor loss = ops::cross_entropy(net(x), y);
    loss.backward();
    optimizer->step();
    if (step % 100 == 0) std::printf("step %d: loss %.4f\n", step, loss.item());
  }
  const auto answers = ops::argmax(net(x), 1).to_int_vector();
  int right = 0;
  for (std::size_t i = 0; i < 400; ++i) right += answers[i] == classes[i] ? 1 : 0;
  std::printf("accuracy %.3f\n", right / 400.0);
}
