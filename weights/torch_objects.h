// The objects in PyTorch's pickles and the only names that are accepted in them: those of a
// state_dict. All three layouts of .pth files share this; they differ in how a storage is
// identified and where its bytes are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hanok/kernels/base/dtype.h"
#include "hanok/weights/pickle.h"

namespace hanok::weights {

/// A PyTorch storage: a contiguous array of elements that several tensors may share.
struct StorageRef {
  std::string key;               // its key in the file
  std::string type;              // as in the file: "torch.FloatStorage"
  std::optional<DType> dtype;    // missing: hanok has no such type
  std::size_t element_size = 0;  // bytes
  std::int64_t numel = 0;        // elements of the whole storage
  std::int64_t view_offset = 0;  // elements to skip if this is a view of the storage
  std::int64_t view_numel = 0;   // elements of the view (numel if it is not a view)
};

/// A tensor as a window into a storage. Sizes and strides are logical, in elements.
struct TensorRef {
  std::shared_ptr<const StorageRef> storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
};

/// A storage of the named class with hanok's element type, if it has one. Throws FormatError if
/// `numel` is negative.
StorageRef make_storage_ref(const std::string& where, const std::string& key,
                            const std::string& storage_class, std::int64_t numel);

/// Throws FormatError unless the view is inside its storage.
void check_view(const std::string& where, const StorageRef& storage);

/// Resolves torch's tensors, storages, sizes and devices, and Python's ordered dictionaries.
class TorchResolver : public pickle::Resolver {
 public:
  /// Every message starts with `where`.
  explicit TorchResolver(std::string where) : where_(std::move(where)) {}
  bool knows(const std::string& global) const override;
  pickle::Payload call(const std::string& global, const pickle::Tuple& arguments) override;
  /// ('storage', class, key, location, numel[, view]): the zip and the legacy layout.
  pickle::Payload persistent(const pickle::Value& id) override;

 protected:
  const std::string where_;

 private:
  /// Throws FormatError if calls had more items as arguments than any state_dict needs.
  void count_copies(std::size_t items);
  std::size_t copies_ = 0;
};

// ---- typed access to values; each throws FormatError "where: ... `what` ..." ----
std::int64_t as_integer(const std::string& where, const pickle::Value& value, const char* what);
const std::string& as_text(const std::string& where, const pickle::Value& value, const char* what);
const std::vector<pickle::Ref>& as_items(const std::string& where, const pickle::Value& value,
                                         const char* what);

}  // namespace hanok::weights
