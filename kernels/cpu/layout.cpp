#include "hanok/kernels/primitives/layout.h"

#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <utility>

#include "hanok/kernels/base/half.h"
#include "hanok/kernels/base/strided.h"
#include "hanok/kernels/cpu/call.h"
#include "hanok/kernels/cpu/isa/elementwise.h"

namespace hanok::cpu {
namespace {

constexpr std::int64_t kGrain = 16384;  // elements a task

template <typename T>
constexpr bool is_half = std::is_same_v<T, F16> || std::is_same_v<T, BF16>;

/// Between floats: rounds to nearest even. Floats to integers: towards zero, as C++ does, with NaN
/// to 0 and values beyond the type's range to its ends. i64 to u8: to the ends as well.
template <typename To, typename From>
To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (is_half<From>) {
    return convert<To>(to_float(x));
  } else if constexpr (is_half<To>) {
    float narrow = 0;
    if constexpr (std::is_same_v<From, float>) {
      narrow = x;
    } else {
      // i64 beyond 2^53 may lose bits in the double; both formats have far fewer.
      narrow = to_float_odd(static_cast<double>(x));
    }
    if constexpr (std::is_same_v<To, F16>) {
      return to_f16(narrow);
    } else {
      return to_bf16(narrow);
    }
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    const double whole = std::trunc(static_cast<double>(x));
    constexpr double kLow = static_cast<double>(std::numeric_limits<To>::min());
    constexpr double kHigh = static_cast<double>(std::numeric_limits<To>::max());
    if (whole != whole) {
      return 0;
    }
    if (whole <= kLow) {
      return std::numeric_limits<To>::min();
    }
    return whole >= kHigh ? std::numeric_limits<To>::max() : static_cast<To>(whole);
  } else if constexpr (std::is_integral_v<To> && sizeof(To) < sizeof(From)) {
    return static_cast<To>(
        std::clamp<From>(x, std::numeric_limits<To>::min(), std::numeric_limits<To>::max()));
  } else {
    return static_cast<To>(x);
  }
}

/// Calls function(T{}) with the C++ type of `dtype`.
template <typename Function>
void with_type(DType dtype, const Function& function) {
  switch (dtype) {
    case DType::F32:
      return function(float{});
    case DType::F64:
      return function(double{});
    case DType::F16:
      return function(F16{});
    case DType::BF16:
      return function(BF16{});
    case DType::U8:
      return function(std::uint8_t{});
    case DType::I64:
      return function(std::int64_t{});
  }
}

template <typename Word>
void copy_row(const Word* src, std::int64_t src_step, Word* dst, std::int64_t dst_step,
              std::int64_t count) {
  if (src_step == 1 && dst_step == 1) {
    std::memcpy(dst, src, static_cast<std::size_t>(count) * sizeof(Word));
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    dst[i * dst_step] = src[i * src_step];
  }
}

template <typename Word>
void copy_words(ExecContext& ctx, const StridedView& dst, const StridedConstView& src) {
  auto* to = static_cast<Word*>(dst.data);
  const auto* from = static_cast<const Word*>(src.data);
  // Dimensions in the order of dst's strides, so that writes are as contiguous as they can be.
  std::array<int, kMaxRank> order{};
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.begin() + dst.sizes.rank(),
                   [&](int a, int b) { return dst.strides[a] > dst.strides[b]; });
  Shape sizes = dst.sizes;
  Strides dst_strides = dst.strides;
  Strides src_strides = src.strides;
  for (int dim = 0; dim < sizes.rank(); ++dim) {
    const int from_dim = order[static_cast<std::size_t>(dim)];
    sizes[dim] = dst.sizes[from_dim];
    dst_strides[dim] = dst.strides[from_dim];
    src_strides[dim] = src.strides[from_dim];
  }
  const StridedLoop<2> loop(sizes, {dst_strides, src_strides});
  const std::int64_t dst_step = loop.row_steps()[0];
  const std::int64_t src_step = loop.row_steps()[1];
  ctx.pool.run_blocks(sizes.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    loop.for_rows(begin, end, [&](const auto& at, std::int64_t length) {
      copy_row(from + at[1], src_step, to + at[0], dst_step, length);
    });
  });
}

}  // namespace

void run(const Call& call, const Fill& op) {
  if (op.out.dtype == DType::F32) {
    const ElementwiseKernels& k = kernels_of(call.isa).elementwise;
    call.ctx.pool.run_blocks(op.out.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      k.fill(static_cast<float>(op.value), op.out.f32() + begin, end - begin);
    });
    return;
  }
  with_type(op.out.dtype, [&](auto type) {
    using T = decltype(type);
    const T converted = convert<T>(op.value);
    call.ctx.pool.run_blocks(op.out.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::fill(op.out.as<T>() + begin, op.out.as<T>() + end, converted);
    });
  });
}

void run(const Call& call, const StridedCopy& op) {
  switch (size_of(op.dst.dtype)) {
    case 1:
      return copy_words<std::uint8_t>(call.ctx, op.dst, op.src);
    case 2:
      return copy_words<std::uint16_t>(call.ctx, op.dst, op.src);
    case 4:
      return copy_words<std::uint32_t>(call.ctx, op.dst, op.src);
    default:
      return copy_words<std::uint64_t>(call.ctx, op.dst, op.src);
  }
}

void run(const Call& call, const Cast& op) {
  if (op.src.dtype == DType::F32 && op.dst.dtype == DType::BF16) {
    const ElementwiseKernels& k = kernels_of(call.isa).elementwise;
    call.ctx.pool.run_blocks(op.dst.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      k.to_bf16(op.src.f32() + begin, op.dst.as<std::uint16_t>() + begin, end - begin);
    });
    return;
  }
  with_type(op.src.dtype, [&](auto from) {
    with_type(op.dst.dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      const From* input = op.src.as<From>();
      To* output = op.dst.as<To>();
      call.ctx.pool.run_blocks(op.dst.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          output[i] = convert<To>(input[i]);
        }
      });
    });
  });
}

/// Only 256 values a channel exist: they are computed once and looked up.
void run(const Call& call, const NormalizeU8& op) {
  const std::int64_t channels = op.x.shape[1];
  Workspace::Scope scope(call.ctx.workspace);
  auto* table = scope.take_array<float>(256 * channels);  // [channels, 256]
  for (std::int64_t c = 0; c < channels; ++c) {
    for (int value = 0; value < 256; ++value) {
      table[256 * c + value] =
          (static_cast<float>(value) / 255.0F - op.mean.f32()[c]) / op.stddev.f32()[c];
    }
  }
  const std::int64_t pixels = op.x.numel() / std::max<std::int64_t>(channels, 1);
  call.ctx.pool.run_blocks(pixels, kGrain / 2, [&](std::int64_t begin, std::int64_t end) {
    const std::uint8_t* in = op.x.as<std::uint8_t>() + begin * channels;
    float* out = op.y.f32() + begin * channels;
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      for (std::int64_t c = 0; c < channels; ++c) {
        *out++ = table[256 * c + *in++];
      }
    }
  });
}

}  // namespace hanok::cpu
