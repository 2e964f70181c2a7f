// Photographs that stand out: too dark, flat, blurred, small, or of an unusual shape.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "hanok/apps/data_report/image_facts.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

enum class Oddity { Dark, Bright, Flat, Blurred, Tiny, OddShaped };
constexpr std::array<Oddity, 6> kOddities = {Oddity::Dark,    Oddity::Bright, Oddity::Flat,
                                             Oddity::Blurred, Oddity::Tiny,   Oddity::OddShaped};
/// "dark", ...
const char* name_of(Oddity oddity);

/// Limits of a data set. Those of light, sharpness and shape follow from its own photographs: what
/// lies beyond the quartiles by 3 times their distance (Tukey's far out values; by 1.5 times for
/// the logarithm of the sharpness), so that a data set of night photographs is not dark all over.
struct OddityLimits {
  double dark = 0;              // brightness below
  double bright = 255;          // brightness above
  double flat = 0;              // contrast below
  double blurred = 0;           // sharpness below
  double tiny = 0;              // shorter side below
  double narrow = 0, wide = 0;  // width / height outside of
};
OddityLimits oddity_limits(const std::vector<ImageFacts>& facts);
/// The rule in words, with its numbers: "brightness below 31 of 255".
std::string describe(Oddity oddity, const OddityLimits& limits);

struct OddPhotograph {
  std::size_t sample = 0;
  Oddity oddity = Oddity::Dark;
  double value = 0;    // what the limit is about
  std::string text{};  // "brightness 12"
};
/// Of each kind the most extreme first; a photograph may be in several. Unreadable ones are in
/// none.
std::vector<OddPhotograph> odd_photographs(const std::vector<ImageFacts>& facts,
                                           const OddityLimits& limits);

}  // namespace hanok::data_report
#pragma GCC visibility pop
