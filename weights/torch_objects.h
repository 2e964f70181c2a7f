// The objects in PyTorch's pickles: tensors and what a state_dict is made of. Everything else stays
// an opaque object. All three layouts of .pth files share this; they differ in how a storage is
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
  std::size_t element_size = 0;  // bytes; 0: not known
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
  bool negated = false;     // its values are those of the storage with the other sign
  std::string unsupported;  // "a sparse tensor": what hanok has no tensor for, without storage

  /// Empty for a tensor that hanok can make; else what kind of tensor it is: `unsupported`, or the
  /// class of its storage.
  const std::string& unsupported_kind() const {
    if (!unsupported.empty() || storage == nullptr || storage->dtype) return unsupported;
    return storage->type;
  }
};

/// A storage of the named class with hanok's element type, if it has one. Throws FormatError if
/// the name is no storage's or `numel` is negative.
StorageRef make_storage_ref(const std::string& where, const std::string& key,
                            const std::string& storage_class, std::int64_t numel);

/// Throws FormatError unless the view is inside its storage.
void check_view(const std::string& where, const StorageRef& storage);

/// Resolves torch's tensors, storages and sizes, and Python's dictionaries and sets. Rejects files
/// that name functions which run code (os.system, eval).
class TorchResolver : public pickle::Resolver {
 public:
  /// Every message starts with `where`.
  explicit TorchResolver(std::string where) : where_(std::move(where)) {}
  void check(const std::string& global) const override;
  bool can_call(const std::string& global) const override;
  pickle::Payload call(const std::string& global, const pickle::Tuple& arguments) override;
  /// ('storage', class, key, location, numel[, view]): the zip and the legacy layout; and
  /// ('module', class, file, source): the class of a module, in the legacy layout.
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
