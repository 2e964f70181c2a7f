#include <gmock/gmock.h>

#include "hanok/data/dataset.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::TempFolder;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Csv parse(const std::string& text) {
  const TempFolder folder;
  return read_csv(folder.write("table.csv", text));
}

std::string parse_error(const std::string& text) {
  return message_of<FormatError>([&] { parse(text); });
}

TEST(Csv, ReadsPlainFields) {
  const Csv csv = parse("a,b\n1,2\n3,\n");
  EXPECT_THAT(csv.header, ElementsAre("a", "b"));
  EXPECT_THAT(csv.rows, ElementsAre(ElementsAre("1", "2"), ElementsAre("3", "")));
  EXPECT_THAT(csv.lines, ElementsAre(2, 3));
  EXPECT_EQ(csv.column("b"), 1U);
}

TEST(Csv, ReadsByteOrderMarkCrLfAndAMissingLastLineBreak) {
  const Csv csv = parse(
      "\xEF\xBB\xBF"
      "a,b\r\n1,2\r\n\r\n3,4");
  EXPECT_THAT(csv.header, ElementsAre("a", "b"));
  EXPECT_THAT(csv.rows, ElementsAre(ElementsAre("1", "2"), ElementsAre("3", "4")));
  EXPECT_THAT(csv.lines, ElementsAre(2, 4));
}

TEST(Csv, ReadsQuotedFields) {
  const Csv csv = parse("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\"\nlast,row\n");
  EXPECT_THAT(csv.rows, ElementsAre(ElementsAre("x,y", "say \"hi\""), ElementsAre("two\nlines", ""),
                                    ElementsAre("last", "row")));
  EXPECT_THAT(csv.lines, ElementsAre(2, 3, 5));
}

TEST(Csv, ReadsSemicolonsTabsAndOldLineEnds) {
  for (const char* text : {"a;b\n1,5;2\n", "a\tb\r1,5\t2\r", "a;b\r\n\"1,5\";2",
                           "sep=;\r\na;b\r\n1,5;2", " a ; b\n1,5;2"}) {
    const Csv csv = parse(text);
    EXPECT_THAT(csv.header, ElementsAre("a", "b")) << text;
    EXPECT_THAT(csv.rows, ElementsAre(ElementsAre("1,5", "2"))) << text;
  }
  EXPECT_THAT(parse("a,b\r1,2\r3,4\r").lines, ElementsAre(2, 3));
  EXPECT_THAT(parse("\"a;x;y\",b\n1;2,3").rows, ElementsAre(ElementsAre("1;2", "3")));
}

/// ASCII text as UTF-16 with its byte-order mark, and "\u00e9" and U+1F600 at its end.
std::string utf16(const std::string& text, bool big_endian) {
  std::string bytes;
  const auto add = [&](unsigned unit) {
    const char high = static_cast<char>(unit >> 8), low = static_cast<char>(unit & 0xFF);
    bytes += big_endian ? high : low;
    bytes += big_endian ? low : high;
  };
  add(0xFEFF);
  for (const char c : text) add(static_cast<unsigned char>(c));
  for (const unsigned unit : {0xE9U, 0xD83DU, 0xDE00U}) add(unit);
  return bytes;
}

TEST(Csv, ReadsUtf16) {
  for (const bool big_endian : {false, true}) {
    const Csv csv = parse(utf16("a\tb\r\n1\t", big_endian));
    EXPECT_THAT(csv.header, ElementsAre("a", "b"));
    EXPECT_THAT(csv.rows, ElementsAre(ElementsAre("1", "\xC3\xA9\xF0\x9F\x98\x80")));
  }
}

TEST(Csv, BytesThatAreNoTextAreRefusedWithARemedy) {
  const std::string zeros("a\0,\0b\0\n\0", 8);
  EXPECT_THAT(parse_error(zeros), AllOf(HasSubstr("zero bytes"), HasSubstr("in UTF-8")));
  EXPECT_THAT(parse_error("PK\x03\x04..."), HasSubstr("spreadsheet"));
  EXPECT_THAT(parse_error(std::string("\xFF\xFE\0\0a\0\0\0", 8)), HasSubstr("UTF-32"));
  std::string odd = utf16("a", false);
  odd.pop_back();
  EXPECT_THAT(parse_error(odd), HasSubstr("damaged UTF-16"));
  odd.pop_back();  // half of a pair is left
  EXPECT_THAT(parse_error(odd), HasSubstr("damaged UTF-16"));
}

TEST(Csv, AnEndingCommaMakesAnEmptyField) {
  EXPECT_THAT(parse("a,b\n1,").rows, ElementsAre(ElementsAre("1", "")));
}

TEST(Csv, ErrorsNameFileAndLine) {
  EXPECT_THAT(parse_error("a,b\n1,2\n3\n"), HasSubstr("table.csv:3: 1 fields, the header has 2"));
  EXPECT_THAT(parse_error("a,b\n1,\"2\n"),
              HasSubstr("table.csv:2: a quoted field is never closed"));
  EXPECT_THAT(parse_error("a,b\n\"1\"x,2\n"),
              HasSubstr("table.csv:2: text follows a closing quote"));
  EXPECT_THAT(parse_error(""), HasSubstr("table.csv: the file is empty"));
  const Csv csv = parse("a,b\n1,2\n");
  EXPECT_THAT(message_of<FormatError>([&] { (void)csv.column("c"); }),
              AllOf(StartsWith(csv.path), HasSubstr("no column 'c' (columns: a, b)")));
  EXPECT_THROW(read_csv("/nowhere/at/all.csv"), IoError);
}

TEST(Csv, FieldsAreQuotedOnlyWhereNeeded) {
  EXPECT_EQ(csv_field("plain text"), "plain text");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"hi\""), "\"say \"\"hi\"\"\"");
  const std::string awkward = "x,\"y\"\r\nz";
  EXPECT_EQ(parse("a\n" + csv_field(awkward) + "\n").rows[0][0], awkward);
}

}  // namespace
}  // namespace hanok::data
