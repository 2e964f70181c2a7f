// Groups found by file names: crops of one photograph, photographs of one person. Private to this
// room.
#pragma once

#include "hanok/data/dataset.h"

namespace hanok::data {

/// Sets the group of each sample: its file name up to the last '_' where that makes sense, else its
/// path. A name that only numbers files is no group: a camera's or a program's word ("IMG_0001"),
/// the class's own name, or one that all files of a class share.
void find_name_groups(Dataset& dataset);

}  // namespace hanok::data
