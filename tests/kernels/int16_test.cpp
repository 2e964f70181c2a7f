// Products in dynamic fixed point (kernels/cpu/isa/int16.cpp) on every path: the same bits as plain
// loops.
#include "hanok/kernels/cpu/isa/int16.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "hanok/kernels/cpu/isa.h"
#include "tests/kernels/kernel_context.h"

namespace hanok {
namespace {

using cpu::Int16Block;
using cpu::Int16Kernels;
using cpu::kInt16Most;
using cpu::kPanelColumns;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

struct Quantized {
  std::vector<std::int16_t> q;
  std::vector<float> scale;
};

Quantized quantize_rows(const Int16Kernels& kernels, const std::vector<float>& x, std::int64_t rows,
                        std::int64_t columns) {
  const std::int64_t stride = (columns + 31) / 16 * 16;
  Quantized out{std::vector<std::int16_t>(at(rows * stride)), std::vector<float>(at(rows))};
  kernels.quantize_rows({.x = x.data(),
                         .rows = rows,
                         .columns = columns,
                         .x_stride = columns,
                         .q = out.q.data(),
                         .q_stride = stride,
                         .scale = out.scale.data(),
                         .scale_stride = 1});
  return out;
}

TEST(Int16, RowsAreRoundedToTheirOwnScale) {
  constexpr std::int64_t kRows = 5;
  constexpr std::int64_t kColumns = 72;
  std::vector<float> x = test::test_data(kRows * kColumns, 7, 0, 3);
  for (std::int64_t j = 0; j < kColumns; ++j) {
    x[at(kColumns + j)] *= 1e-20F;
    x[at(2 * kColumns + j)] *= 1e20F;
    x[at(3 * kColumns + j)] = 0;
  }
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    const Quantized got = quantize_rows(cpu::kernels_of(isa).int16, x, kRows, kColumns);
    for (std::int64_t i = 0; i < kRows; ++i) {
      std::int32_t largest = 0;
      for (std::int64_t j = 0; j < kColumns; ++j) {
        const std::int32_t q = got.q[at(i * 96 + j)];
        largest = std::max(largest, std::abs(q));
        const double error = static_cast<double>(x[at(i * kColumns + j)]) -
                             static_cast<double>(q) * static_cast<double>(got.scale[at(i)]);
        EXPECT_LE(std::abs(error), 0.501 * static_cast<double>(got.scale[at(i)]));
      }
      EXPECT_EQ(largest, i == 3 ? 0 : kInt16Most) << "row " << i;
    }
  }
}

TEST(Int16, RowsWithInfinityOrNaNGetScaleNaN) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    std::vector<float> x = test::test_data(2 * 32, 7);
    x[40] = bad;
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      const Quantized got = quantize_rows(cpu::kernels_of(isa).int16, x, 2, 32);
      EXPECT_FALSE(std::isnan(got.scale[0]));
      EXPECT_TRUE(std::isnan(got.scale[1]));
    }
  }
}

// What a product takes: A [rows, k] and B in panels.
struct Factors {
  std::int64_t rows, columns, k, a_stride, panels;
  Quantized a, b;

  Factors(std::int64_t rows, std::int64_t columns, std::int64_t k)
      : rows(rows),
        columns(columns),
        k(k),
        a_stride((k + 31) / 16 * 16),
        panels((columns + kPanelColumns - 1) / kPanelColumns),
        a(quantize_rows(cpu::kernels_of(cpu::Isa::Portable).int16,
                        test::test_data(rows * k, 1, 0.2F), rows, k)),
        b{std::vector<std::int16_t>(at(panels * k * kPanelColumns)),
          std::vector<float>(at(panels * kPanelColumns))} {
    const std::vector<float> x = test::test_data(panels * k * kPanelColumns, 2, 0.1F);
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      cpu::kernels_of(cpu::Isa::Portable)
          .int16.quantize_panel({.x = x.data() + panel * k * kPanelColumns,
                                 .rows = k,
                                 .q = b.q.data() + panel * k * kPanelColumns,
                                 .scale = b.scale.data() + panel * kPanelColumns});
    }
  }

  std::int64_t b_at(std::int64_t p, std::int64_t column) const {
    return column / kPanelColumns * k * kPanelColumns +
           (p / 2 * kPanelColumns + column % kPanelColumns) * 2 + p % 2;
  }

  /// The definition: integer sums of `exact_terms` products, added as floats.
  std::vector<float> product(std::int64_t exact_terms) const {
    std::vector<float> c(at(rows * columns));
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        float sum = 0;
        for (std::int64_t first = 0; first < k; first += exact_terms) {
          std::int64_t exact = 0;
          for (std::int64_t p = first; p < std::min(first + exact_terms, k); ++p) {
            exact += static_cast<std::int64_t>(a.q[at(i * a_stride + p)]) * b.q[at(b_at(p, j))];
          }
          EXPECT_EQ(exact, static_cast<std::int32_t>(exact)) << "the test overflows";
          sum += static_cast<float>(exact);
        }
        c[at(i * columns + j)] = sum * (a.scale[at(i)] * b.scale[at(j)]);
      }
    }
    return c;
  }

  std::vector<float> product(void (*multiply)(const Int16Block&), std::int64_t exact_terms) const {
    std::vector<float> c(at(rows * columns), -7.0F);
    std::vector<std::int64_t> offsets;
    for (std::int64_t i = 0; i < rows; ++i) offsets.push_back(i * columns);
    Int16Block block{};
    block.rows = rows;
    block.columns = columns;
    block.k = k;
    block.exact_terms = exact_terms;
    block.a = a.q.data();
    block.a_row_stride = a_stride;
    block.a_scale = a.scale.data();
    block.b = b.q.data();
    block.b_panel_stride = k * kPanelColumns;
    block.b_scale = b.scale.data();
    block.b_scale_stride = kPanelColumns;
    block.c = c.data();
    block.c_row_offset = offsets.data();
    multiply(block);
    return c;
  }
};

void expect_product_on_every_path(const Factors& factors, std::int64_t exact_terms) {
  const std::vector<float> want = factors.product(exact_terms);
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
    const Int16Kernels& kernels = cpu::kernels_of(isa).int16;
    EXPECT_EQ(factors.product(kernels.multiply, exact_terms), want) << cpu::name_of(isa);
    if (kernels.multiply_vnni == nullptr || !cpu::has_vnni()) continue;
    EXPECT_EQ(factors.product(kernels.multiply_vnni, exact_terms), want)
        << cpu::name_of(isa) << ", VNNI";
  }
}

TEST(Int16, ProductsAreTheSameBitsOnEveryPath) {
  for (const std::int64_t rows : {1, 5, 12, 13, 31}) {
    for (const std::int64_t columns : {8, 16, 24, 40, 64}) {
      expect_product_on_every_path(Factors(rows, columns, 40), 32);
      expect_product_on_every_path(Factors(rows, columns, 40), 64);
    }
  }
  expect_product_on_every_path(Factors(24, 64, 136), 64);
}

// Sums as large as they can be: every integer is 8191 or -8191.
TEST(Int16, SafeTermsDoNotOverflow) {
  for (const std::int16_t sign : {1, -1}) {
    Factors factors(13, 40, 96);
    for (std::int16_t& q : factors.a.q) q = kInt16Most;
    for (std::int16_t& q : factors.b.q) q = static_cast<std::int16_t>(sign * kInt16Most);
    expect_product_on_every_path(factors, cpu::kInt16SafeTerms);
  }
  // One term more would overflow: the bound is tight.
  EXPECT_GT((cpu::kInt16SafeTerms + 1) * kInt16Most * kInt16Most,
            std::int64_t{std::numeric_limits<std::int32_t>::max()});
}

TEST(Int16, LargestSumIsThatOfTheDefinition) {
  const Factors factors(1, 16, 96);
  for (const std::int64_t terms : {32, 64, 128}) {
    std::int64_t want = 0;
    for (std::int64_t first = 0; first < 96; first += terms) {
      for (std::int64_t column = 0; column < 16; ++column) {
        std::int64_t sum = 0;
        for (std::int64_t p = first; p < std::min<std::int64_t>(first + terms, 96); ++p) {
          sum += std::abs(static_cast<int>(factors.b.q[at(factors.b_at(p, column))]));
        }
        want = std::max(want, sum);
      }
    }
    for (const cpu::Isa isa : cpu::isas_of_this_cpu()) {
      EXPECT_EQ(cpu::kernels_of(isa).int16.largest_sum(factors.b.q.data(), 96, terms), want);
    }
  }
}

}  // namespace
}  // namespace hanok
