// Convolution.
#include "hanok/engine/ops/conv2d.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <mutex>
#include <new>
#include <variant>

#include "hanok/engine/allocator.h"
#include "hanok/engine/ops/cast.h"
#include "hanok/engine/ops/common.h"
#include "hanok/engine/packed_weights.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/storage.h"
#include "hanok/engine/tensor_impl.h"
#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

/// Whether packed weights are kept, and the tensors that have some.
struct Packed {
  std::mutex mutex;  // two threads may evaluate one model
  bool keep = true;
  std::vector<std::weak_ptr<TensorImpl>> weights;
};

Packed& packed() {
  static auto* instance = new Packed();  // NOLINT(cppcoreguidelines-owning-memory)
  return *instance;
}

/// Converted weights, which are packs as well, are needed: only copies for convolutions go.
bool drop_packs_of_convolutions(TensorImpl& weight) {
  return std::erase_if(weight.packs, [](const PackedWeights& pack) {
           return std::holds_alternative<Conv2dPackKey>(pack.key);
         }) > 0;
}

}  // namespace

void drop_packed_weights(const Tensor& weight) { weight.impl().packs.clear(); }

bool drop_all_packed_weights() {
  const std::lock_guard lock(packed().mutex);
  bool dropped = false;
  for (const std::weak_ptr<TensorImpl>& known : packed().weights) {
    const std::shared_ptr<TensorImpl> weight = known.lock();
    if (weight != nullptr) dropped |= drop_packs_of_convolutions(*weight);
  }
  packed().weights.clear();
  return dropped;
}

void keep_packed_weights(bool keep) {
  const std::lock_guard lock(packed().mutex);
  packed().keep = keep;
}

}  // namespace hanok

namespace hanok::ops {
namespace {

struct SidePadding {
  std::int64_t both = 0;   // pixels on either side
  std::int64_t extra = 0;  // pixels more at the end
};

/// TensorFlow's SAME along one axis.
SidePadding same_padding(std::int64_t input, std::int64_t kernel, std::int64_t stride,
                         std::int64_t dilation) {
  const std::int64_t outputs = (input + stride - 1) / stride;
  const std::int64_t read = (outputs - 1) * stride + dilation * (kernel - 1) + 1;
  const std::int64_t total = std::max<std::int64_t>(read - input, 0);
  return {.both = total / 2, .extra = total % 2};
}

void pad_same(Conv2dShape& s) {
  Window2d& window = s.window;
  const SidePadding h = same_padding(s.h, s.r, window.stride_h, window.dilation_h);
  const SidePadding w = same_padding(s.w, s.s, window.stride_w, window.dilation_w);
  window.pad_h = h.both;
  window.pad_w = w.both;
  s.extra_h = h.extra;
  s.extra_w = w.extra;
}

}  // namespace

Conv2dShape check_conv2d(const char* op, const Tensor& x, const Conv2dArguments& conv) {
  const auto& [weight, bias, window, groups, padding] = conv;
  check_product(op, x, {{"input", x}, {"weight", weight}, {"bias", bias, true}});
  const auto fail = [&, &weight = weight, &bias = bias](const std::string& what) {
    throw_shape_error(op, what, {{"input", x}, {"weight", weight}, {"bias", bias}});
  };
  if (x.rank() != 4 || weight.rank() != 4) {
    fail("expected input [N,C,H,W] and weight [K,C/groups,R,S]");
  }
  if (window.stride_h < 1 || window.stride_w < 1 || window.dilation_h < 1 ||
      window.dilation_w < 1 || window.pad_h < 0 || window.pad_w < 0 || groups < 1) {
    throw_value_error(
        op,
        fmt::format("stride {}x{}, dilation {}x{} and groups {} must be at least 1, padding {}x{} "
                    "at least 0",
                    window.stride_h, window.stride_w, window.dilation_h, window.dilation_w, groups,
                    window.pad_h, window.pad_w),
        {{"input", x}, {"weight", weight}});
  }
  if (padding == Padding::Same && (window.pad_h != 0 || window.pad_w != 0)) {
    throw_value_error(
        op,
        fmt::format("padding {}x{} beside Padding::Same, which follows from the sizes",
                    window.pad_h, window.pad_w),
        {{"input", x}, {"weight", weight}});
  }
  const Shape& w = weight.shape();
  if (x.size(1) != w[1] * groups) {
    fail(fmt::format("input has {} channels, weight expects {}{}", x.size(1), w[1] * groups,
                     groups > 1 ? fmt::format(" in {} groups", groups) : ""));
  }
  if (w[0] % groups != 0) {
    fail(fmt::format("{} output channels do not divide into {} groups", w[0], groups));
  }
  if (bias.defined() && bias.shape() != Shape{w[0]}) {
    fail(fmt::format("bias must have the weight's {} output channels", w[0]));
  }
  Conv2dShape shape;
  shape.n = x.size(0);
  shape.c = x.size(1);
  shape.h = x.size(2);
  shape.w = x.size(3);
  shape.k = w[0];
  shape.r = w[2];
  shape.s = w[3];
  shape.groups = groups;
  shape.window = window;
  shape.nominal_n = nominal_batch();
  shape.int16 = precision() == Precision::Int16 ? 1 : 0;
  if (std::min({shape.c, shape.k, shape.r, shape.s}) < 1) fail("every size but N must be positive");
  if (padding == Padding::Same) pad_same(shape);
  const std::int64_t padded_h = shape.h + 2 * shape.window.pad_h + shape.extra_h;
  const std::int64_t padded_w = shape.w + 2 * shape.window.pad_w + shape.extra_w;
  if (window.dilation_h * (shape.r - 1) + 1 > padded_h ||
      window.dilation_w * (shape.s - 1) + 1 > padded_w) {
    fail(
        fmt::format("a kernel of {}x{}, dilation {}x{}, does not fit into the input padded to "
                    "{}x{}",
                    shape.r, shape.s, window.dilation_h, window.dilation_w, padded_h, padded_w));
  }
  return shape;
}

namespace {

/// Null where it cannot be had.
std::shared_ptr<Storage> memory_for_packing(std::size_t bytes, Device device) {
  const MemoryTag tag("packed weights");
  const ShortLived lasting(false);
  try {
    return std::make_shared<Storage>(bytes, device);
  } catch (const OutOfMemory&) {
    return nullptr;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void remember_packed(const Tensor& weight) {
  std::vector<std::weak_ptr<TensorImpl>>& weights = packed().weights;
  if (weights.size() == weights.capacity()) {
    std::erase_if(weights, [](const std::weak_ptr<TensorImpl>& known) { return known.expired(); });
  }
  weights.push_back(weight.impl_pointer());
}

}  // namespace

std::shared_ptr<Storage> packed_weights(Conv2dPass pass, const Conv2dShape& shape,
                                        const Tensor& weight, bool trained) {
  const std::lock_guard lock(packed().mutex);
  std::vector<PackedWeights>& packs = weight.impl().packs;
  if (trained) {
    packs.clear();
    return nullptr;
  }
  if (!packed().keep) return nullptr;
  const Target target(weight);
  const std::size_t bytes = target.backend.conv2d_packed_bytes(pass, shape);
  if (bytes == 0) return nullptr;
  const Conv2dPackKey key = target.backend.conv2d_pack_key(pass, shape);
  const auto stale = [&](const PackedWeights& pack) { return pack.version != weight.version(); };
  packs.erase(std::remove_if(packs.begin(), packs.end(), stale), packs.end());
  for (const PackedWeights& pack : packs) {
    if (const auto* kept = std::get_if<Conv2dPackKey>(&pack.key); kept && *kept == key) {
      return pack.bytes;
    }
  }
  std::shared_ptr<Storage> storage = memory_for_packing(bytes, weight.device());
  if (storage == nullptr) return nullptr;
  target.run(
      Conv2dPack{.pass = pass, .shape = shape, .w = weight.view(), .packed = storage->data()});
  if (packs.empty()) remember_packed(weight);
  packs.push_back({key, weight.version(), storage});
  return storage;
}

namespace {

Shape sizes_of(const Shape& images, std::int64_t count) {
  Shape sizes = images;
  sizes[0] = count;
  return sizes;
}

std::int64_t bytes_of_an_image(const ConstView& images) {
  const std::int64_t count = std::max<std::int64_t>(images.shape[0], 1);  // an empty batch has none
  return images.numel() / count * static_cast<std::int64_t>(size_of(images.dtype));
}

/// The shape of a pass over some of the batch's images, computed as if they were all.
Conv2dShape part_of(const Conv2dShape& whole, std::int64_t images) {
  Conv2dShape part = whole;
  part.n = images;
  if (part.nominal_n == 0) part.nominal_n = whole.n;
  return part;
}

}  // namespace

ConstView images_of(const ConstView& images, std::int64_t first, std::int64_t count) {
  return {images.as<std::byte>() + first * bytes_of_an_image(images), images.dtype,
          sizes_of(images.shape, count)};
}

View images_of(const View& images, std::int64_t first, std::int64_t count) {
  return {images.as<std::byte>() + first * bytes_of_an_image(images), images.dtype,
          sizes_of(images.shape, count)};
}

namespace {

void convolve(const ConstView& x, const Tensor& weight, bool trained, const Conv2dShape& shape,
              const Epilogue& epilogue, Tensor& y) {
  const Target target(weight);
  const std::shared_ptr<Storage> packed =
      packed_weights(Conv2dPass::Forward, shape, weight, trained);
  target.run(Conv2dForward{.shape = shape,
                           .x = x,
                           .w = weight.view(),
                           .packed = packed ? packed->data() : nullptr,
                           .epilogue = epilogue,
                           .y = y.mutable_view()});
}

}  // namespace

Tensor conv2d_with_epilogue(const Tensor& x, const Tensor& weight, bool trained,
                            const Conv2dShape& shape, const Epilogue& epilogue) {
  Tensor y = empty_on(x, shape.output_shape(), x.dtype());
  convolve(x.view(), weight, trained, shape, epilogue, y);
  return y;
}

Tensor conv2d_in_bf16(const Tensor& x, const Tensor& weight, bool trained, const Conv2dShape& whole,
                      const Epilogue& epilogue, const ImageRange& images) {
  const bool all = images.count == 0 || images.count == whole.n;
  const Conv2dShape shape = all ? whole : part_of(whole, images.count);
  const ConstView input = all ? x.view() : images_of(x.view(), images.first, images.count);
  const Target target(x);
  Tensor y = empty_on(x, shape.output_shape(), DType::BF16);
  if (target.backend.conv2d_stores_bf16(shape)) {
    convolve(input, weight, trained, shape, epilogue, y);
    return y;
  }
  const ShortLived passing;
  Tensor wide = empty_on(x, shape.output_shape());
  convolve(input, weight, trained, shape, epilogue, wide);
  target.run(Cast{y.mutable_view(), wide.view()});
  return y;
}

void Conv2dBackward::save(const Node& node, const Tensor& x, const Tensor& weight,
                          const Conv2dShape& shape) {
  shape_ = shape;
  if (node.needs(1)) x_ = x;
  if (node.needs(0)) weight_ = weight;
}

Tensor Conv2dBackward::weight_gradient(const Node& node, const Tensor& dz,
                                       std::int64_t first) const {
  const Conv2dShape part = part_of(shape_, dz.size(0));
  const ShortLived lasting(false);
  Tensor dw = empty_on(dz, shape_.weight_shape());
  const Target target(dz);
  target.run(Conv2dBackwardWeights{.shape = part,
                                   .x = images_of(x_.get(node.name()).view(), first, part.n),
                                   .dy = dz.view(),
                                   .dw = dw.mutable_view()});
  return dw;
}

namespace {

constexpr std::int64_t kParts = 4;

/// Whether a sum of dx is worth a part's overhead: its weights may be packed for each.
bool adds_in_parts(const Conv2dShape& shape, const Tensor& dz) {
  constexpr std::int64_t kLeast = std::int64_t{1} << 20;  // elements
  const std::int64_t elements = shape.input_shape().numel();
  return dz.device().is_cpu() && shape.n >= 2 * kParts && elements >= kLeast &&
         elements >= 8 * shape.weight_shape().numel();
}

}  // namespace

Tensor Conv2dBackward::input_gradient(const Node& node, const Tensor& weight,
                                      const ConstView& dz) const {
  const Conv2dShape part = dz.shape[0] == shape_.n ? shape_ : part_of(shape_, dz.shape[0]);
  Tensor dx = empty_on(weight, part.input_shape(), dz.dtype);
  const std::shared_ptr<Storage> packed =
      packed_weights(Conv2dPass::BackwardData, part, weight, node.needs(1));
  const Target target(weight);
  target.run(Conv2dBackwardData{.shape = part,
                                .dy = dz,
                                .w = weight.view(),
                                .packed = packed ? packed->data() : nullptr,
                                .dx = dx.mutable_view()});
  return dx;
}

void Conv2dBackward::add_input_gradient(const Node& node, const Tensor& weight,
                                        const Tensor& dz) const {
  Tensor sum = node.sum;
  const View all = sum.mutable_view();
  const Target target(dz);
  const std::int64_t images = (shape_.n + kParts - 1) / kParts;
  for (std::int64_t first = 0; first < shape_.n; first += images) {
    const std::int64_t count = std::min(images, shape_.n - first);
    const Tensor dx = input_gradient(node, weight, images_of(dz.view(), first, count));
    target.run(AddScaled{.alpha = 1, .x = dx.view(), .y = images_of(all, first, count)});
  }
}

std::vector<Tensor> Conv2dBackward::run(const Node& node, const Tensor& dz) {
  Tensor dx, dw, dbias;
  if (node.needs(1)) dw = weight_gradient(node, dz, 0);
  x_.release();  // makes room for dx
  if (node.needs(2)) {
    dbias = empty_on(dz, {shape_.k});
    const Target target(dz);
    target.run(SumRows{.x = dz.view(),
                       .rows = shape_.n * shape_.p() * shape_.q(),
                       .channels = shape_.k,
                       .out = dbias.mutable_view()});
  }
  if (node.needs(0)) {
    const Tensor weight = weight_.get(node.name());
    if (node.sum.defined() && adds_in_parts(shape_, dz)) {
      add_input_gradient(node, weight, dz);
    } else {
      dx = input_gradient(node, weight, dz.view());
    }
  }
  return {dx, dw, dbias};
}

void Conv2dBackward::release() {
  x_.release();
  weight_.release();
}

namespace {

// y[n,k,p,q] = bias[k] + sum over c,r,s of weight[k,c,r,s] x[n,c,h,w], where
//   h = p stride_h - pad_h + r dilation_h, w = q stride_w - pad_w + s dilation_w, and x is 0
//   outside; c runs over the channels of k's group. The derivatives are at Conv2dBackward.

class Conv2dNode final : public Node {
 public:
  const char* name() const override { return "conv2d"; }
  void save(const Tensor& x, const Tensor& weight, const Conv2dShape& shape) {
    conv_.save(*this, x, weight, shape);
  }
  std::vector<Tensor> backward(const Tensor& dy) override { return conv_.run(*this, dy); }
  std::size_t adds_gradient_of() const override { return 0; }
  void release_saved() override { conv_.release(); }

 private:
  Conv2dBackward conv_;
};

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Window2d& window,
              std::int64_t groups) {
  return conv2d(
      x, Conv2dArguments{.weight = weight, .bias = bias, .window = window, .groups = groups});
}

Tensor conv2d(const Tensor& input, const Conv2dArguments& conv) {
  const Tensor x = in_compute_type("conv2d", input);
  const Conv2dShape shape = check_conv2d("conv2d", x, conv);
  const auto& [weight, bias, window, groups, padding] = conv;
  const Tensor w = weight_in_compute_type(weight);
  Epilogue epilogue;
  epilogue.shift = view_or_none(bias);
  Tensor y = conv2d_with_epilogue(x, w, any_requires_grad({weight}), shape, epilogue);
  if (any_requires_grad({x, weight, bias})) {
    auto node = std::make_shared<Conv2dNode>();
    set_inputs(*node, {x, weight, bias});
    node->save(x, w, shape);
    record(y, std::move(node));
  }
  return y;
}

}  // namespace hanok::ops
