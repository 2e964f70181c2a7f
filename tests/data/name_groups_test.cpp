// Groups by file names, where names mean something.
#include <gmock/gmock.h>
#include <set>

#include "hanok/data/dataset.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

Dataset load(const std::vector<std::string>& names) {
  const TempFolder folder;
  for (const std::string& name : names) folder.write(name, std::string("image"));
  return load_image_folder(folder.path());
}

TEST(NameGroups, APrefixOfAWholeClassIsNone) {
  std::vector<std::string> names;
  for (int character = 1; character <= 3; ++character) {
    for (int drawing = 1; drawing <= 5; ++drawing) {
      names.push_back("c" + std::to_string(character) + "/010" + std::to_string(character) + "_0" +
                      std::to_string(drawing) + ".png");
    }
  }
  const Dataset dataset = load(names);
  EXPECT_FALSE(dataset.has_groups);
  EXPECT_EQ(describe_groups(dataset), "");
  // A class of one photograph is no whole class: its crops elsewhere belong to it.
  EXPECT_TRUE(load({"a/p_1.png", "a/p_2.png", "a/q_1.png", "b/p_3.png"}).has_groups);
}

TEST(NameGroups, RunningNumbersAreNone) {
  const std::vector<std::vector<std::string>> cases = {
      {"a/IMG_0001.jpg", "a/IMG_0002.jpg", "a/x.jpg", "b/IMG_0003.jpg", "b/y.jpg"},
      {"a/img_1.jpg", "a/DSC_1.jpg", "b/img_2.jpg", "b/DSC_2.jpg"},
      {"cats/cat_1.jpg", "cats/cat_2.jpg", "cats/x.jpg", "dogs/dog_1.jpg", "dogs/dog_2.jpg",
       "dogs/y.jpg"},
      {"c1/c1_1.jpg", "c1/c1_2.jpg", "c1/x.jpg", "c2/z.jpg"},
      {"a/IMG_20210131_120501.jpg", "a/IMG_20210131_120502.jpg", "a/x.jpg", "b/y.jpg"},
      {"a/20210131_120501.jpg", "b/20210131_120507.jpg", "a/x.jpg", "b/y.jpg"},
      {"a/cat.1.jpg", "a/cat.2.jpg", "b/img-1.jpg", "b/img (2).jpg"},
  };
  for (const std::vector<std::string>& names : cases) {
    EXPECT_FALSE(load(names).has_groups) << names[0];
  }
}

TEST(NameGroups, PhotographsAndPeopleAreGroups) {
  for (const std::vector<std::string>& names : std::vector<std::vector<std::string>>{
           {"a/img12_0.jpg", "a/img12_1.jpg", "a/x.jpg", "b/y.jpg"},
           {"a/IMG_0012_0.jpg", "b/IMG_0012_1.jpg", "a/x.jpg", "b/y.jpg"},
           {"a/tom_smile.jpg", "b/tom_sad.jpg", "a/x.jpg", "b/y.jpg"},
           {"a/20210131_1.jpg", "a/20210131_2.jpg", "a/x.jpg", "b/y.jpg"}}) {
    EXPECT_TRUE(load(names).has_groups) << names[0];
  }
}

TEST(NameGroups, AreDescribedWithTwoExamples) {
  const Dataset dataset = load({"a/p_1.jpg", "a/p_2.jpg", "a/p_3.jpg", "a/q_1.jpg", "b/q_2.jpg",
                                "b/r_1.jpg", "b/r_2.jpg", "b/alone.jpg"});
  EXPECT_EQ(describe_groups(dataset),
            "3 groups of 2 to 3 files by file name up to its last '_', such as 'p' (a/p_1.jpg, "
            "a/p_2.jpg, ...) and 'q' (a/q_1.jpg, b/q_2.jpg)");
  EXPECT_THAT(dataset.warnings, IsEmpty());
}

}  // namespace
}  // namespace hanok::data
