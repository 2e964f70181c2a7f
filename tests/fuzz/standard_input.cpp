// What `predict -` and `explain -` read from standard input: names of images, folders and tables.
#include <iostream>
#include <sstream>

#include "hanok/apps/prediction/image_list.h"
#include "tests/fuzz/scratch.h"
#include "tests/fuzz/targets.h"

namespace hanok::fuzz {

// The lines name what lies in a folder of two images and a table, which is made of the bytes
// as well; no other folder is listed.
void run_standard_input(Bytes bytes) {
  ByteSource source(bytes);
  const std::string table = text_of(source.take(source.number(2)));
  const std::string folder = scratch_folder() + "/listed/";
  scratch_file("listed/1.png", "");
  scratch_file("listed/deep/2.png", "");
  scratch_file("listed/table.csv", table);
  std::istringstream lines(text_of(source.rest()));
  std::string names;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("..") == std::string::npos) names += folder + line + "\n";
  }
  std::istringstream input(names);
  std::streambuf* const terminal = std::cin.rdbuf(input.rdbuf());
  std::cin.clear();
  try {
    training::list_images({"-"});
  } catch (const Error&) {
  } catch (...) {
    std::cin.rdbuf(terminal);
    throw;
  }
  std::cin.rdbuf(terminal);
}

}  // namespace hanok::fuzz
