// Options are given by name, those that matter only; prints the version of the headers twice.
#include <cstdio>
#include <hanok/hanok.h>

using namespace hanok;

int main() {
  const nn::Conv2d a({.in_channels = 1, .out_channels = 1, .kernel_h = 3, .kernel_w = 3});
  const nn::Conv1d b({.in_channels = 1, .out_channels = 1, .kernel = 3});
  const nn::ConvTranspose2d c({.in_channels = 1, .out_channels = 1, .kernel_h = 3, .kernel_w = 3});
  const ops::CrossEntropyOptions d{.label_smoothing = 0.1F};
  const ops::FocalLossOptions e{.gamma = 2};
  const data::LoaderOptions f{.batch_size = 8};
  std::printf("%s %d.%d.%d\n", kVersion, HANOK_VERSION_MAJOR, HANOK_VERSION_MINOR,
              HANOK_VERSION_PATCH);
  return d.label_smoothing > 0 && e.gamma > 0 && f.batch_size == 8 ? 0 : 1;
}
