// The measured peaks of this CPU's multiply-adds.
#include "hanok/kernels/cpu/roofline.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "hanok/kernels/cpu/isa.h"

namespace hanok::cpu {
namespace {

bool has(Products16 products) {
  const std::vector<Products16> found = products16_of_this_cpu();
  return std::find(found.begin(), found.end(), products) != found.end();
}

TEST(Roofline, KindsOfProductsFollowThePathsOfThisCpu) {
  const std::vector<Isa> isas = isas_of_this_cpu();
  const auto path = [&](Isa isa) { return std::find(isas.begin(), isas.end(), isa) != isas.end(); };
  EXPECT_EQ(has(Products16::Vpmaddwd), path(Isa::Avx2));
  EXPECT_EQ(has(Products16::Vpdpwssd), path(Isa::Avx512) && has_vnni());
}

TEST(Roofline, EveryKindHasAPeakAndAName) {
  ThreadPool pool(1);
  // A CPU of the last ten years does more than a product of f32 each nanosecond.
  EXPECT_GT(measure_fma_peak(pool), 1e9);
  std::set<std::string> names;
  for (const Products16 products : products16_of_this_cpu()) {
    EXPECT_GT(measure_products16_peak(pool, products), 1e9) << name_of(products);
    names.insert(name_of(products));
  }
  EXPECT_EQ(names.size(), products16_of_this_cpu().size());
}

}  // namespace
}  // namespace hanok::cpu
