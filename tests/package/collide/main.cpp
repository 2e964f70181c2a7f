#include <cstdio>
#include <hanok/data/loader.h>
#include <hanok/nn/layers.h>

#include "data/dataset.h"
#include "nn/layers.h"

int main() {
  const MyDataset dataset{1};
  const MyLayer layer{0};
  const hanok::data::LoaderOptions options{.batch_size = 16};
  std::printf("mine %d, hanok's %d\n", dataset.samples + layer.width,
              static_cast<int>(options.batch_size));
}
