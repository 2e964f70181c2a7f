#include "hanok/engine/ops.h"

int main() { return static_cast<int>(hanok::ops::sum(hanok::Tensor::ones({2})).item()) - 2; }
