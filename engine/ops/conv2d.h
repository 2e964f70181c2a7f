// The parts of a convolution that conv2d and conv_bn_act share.
#pragma once

#include <memory>
#include <vector>

#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/kernels/backend.h"
#include "hanok/kernels/conv2d.h"
#include "hanok/kernels/epilogue.h"

namespace hanok::ops {

/// Checks a convolution's operands; messages start with `op`. Padding::Same becomes the padding
/// that it means for x's size.
Conv2dShape check_conv2d(const char* op, const Tensor& x, const Conv2dArguments& conv);

/// The convolution alone, with an epilogue that may hold more than the bias. Not recorded. x and
/// weight have one type (cast.h); `trained`: the weight changes every step.
Tensor conv2d_with_epilogue(const Tensor& x, const Tensor& weight, bool trained,
                            const Conv2dShape& shape, const Epilogue& epilogue);
/// Images [first, first + count) of a batch; count 0: all.
struct ImageRange {
  std::int64_t first = 0, count = 0;
};
/// The same in bf16, outside the graph: stored so by the convolution where it can, else rounded
/// afterwards. The epilogue's moments are those of the values before they are rounded. Of some
/// images, each gives the bits that it gives among all.
Tensor conv2d_in_bf16(const Tensor& x, const Tensor& weight, bool trained, const Conv2dShape& shape,
                      const Epilogue& epilogue, const ImageRange& images = {});

/// The weights in the order that this pass reads them, kept with the parameter; null where the
/// kernel decides by itself whether to pack. A weight that is being trained changes every step:
/// keeping its packed form would cost memory and save no time.
std::shared_ptr<Storage> packed_weights(Conv2dPass pass, const Conv2dShape& shape,
                                        const Tensor& weight, bool trained);

/// Images [first, first + count) of a dense tensor of images.
ConstView images_of(const ConstView& images, std::int64_t first, std::int64_t count);
View images_of(const View& images, std::int64_t first, std::int64_t count);

/// What the backward of z = conv2d(x, weight) + bias keeps, and what it computes from dz:
///   dx[n,c,h,w] = sum over k,r,s of dz[n,k,p,q] weight[k,c,r,s]
///   dw[k,c,r,s] = sum over n,p,q of dz[n,k,p,q] x[n,c,h,w]
///   dbias[k]    = sum over n,p,q of dz[n,k,p,q]
/// where tap (r,s) of output pixel (p,q) is input pixel (h,w).
///
/// Inputs 0, 1, 2 of the node are x, weight, bias; nothing is kept or computed for those that need
/// no gradient. x, weight, dz and dx have one type; dw and dbias are f32.
///
/// A large dx is made for a few images at a time where node.sum is given, to which it is added: its
/// memory is then that of a part. An image's dx does not depend on the others, so the bits are the
/// same.
class Conv2dBackward {
 public:
  void save(const Node& node, const Tensor& x, const Tensor& weight, const Conv2dShape& shape);
  /// {dx, dw, dbias}; no dx if it was added to node.sum. Releases x.
  std::vector<Tensor> run(const Node& node, const Tensor& dz);
  /// dw of some of the images, from `first` on: dz is theirs.
  Tensor weight_gradient(const Node& node, const Tensor& dz, std::int64_t first) const;
  void release();
  const Conv2dShape& shape() const { return shape_; }

 private:
  /// dx of the images of dz, which are the first or some of the batch.
  Tensor input_gradient(const Node& node, const Tensor& weight, const ConstView& dz) const;
  /// Adds dx to node.sum.
  void add_input_gradient(const Node& node, const Tensor& weight, const Tensor& dz) const;

  Conv2dShape shape_;
  SavedTensor x_, weight_;
};

}  // namespace hanok::ops
