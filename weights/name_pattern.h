// Names of tensors with numbered holes, as the tables of name_maps.cpp write them:
//   *          is the last part of a name: weight, bias, running_mean, ...
//   {s} {i}    are the number of a stage and of a block in its stage, counted from 0
//   {n}        is the number of a block over all stages, counted from 0
//   {s+1} {2s} are computed from them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hanok::weights {

/// What a name has in the holes of a pattern; -1: a number that is not known.
struct NameHoles {
  int stage = -1, index = -1, number = -1;
  std::string last;  // what "*" stands for
};

/// The holes if `name` has the form of `pattern`. `blocks` are the numbers of blocks in each stage,
/// from which {n} follows from {s} and {i} and the other way round; a block beyond them is none.
std::optional<NameHoles> match_name(std::string_view pattern, std::string_view name,
                                    const std::vector<int>& blocks);

/// The pattern with its holes filled.
std::string fill_name(std::string_view pattern, const NameHoles& holes);

}  // namespace hanok::weights
