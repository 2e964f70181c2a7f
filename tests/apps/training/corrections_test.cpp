#include "hanok/apps/training/samples/corrections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "tests/apps/program.h"

namespace hanok::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Corrections : public ::testing::Test {
 protected:
  Corrections() {
    dataset_.root = "photos";
    dataset_.class_names = {"no", "yes, well"};
    dataset_.samples = {{.path = "no/a.png", .label = 0, .group = "a"},
                        {.path = "no/b.png", .label = 0, .group = "b"},
                        {.path = "yes/c.png", .label = 1, .group = "c"}};
  }
  std::vector<std::int64_t> read(const std::string& rows) {
    write_file(path_, "path,label,action,new_label\n" + rows);
    return read_corrections(path_, dataset_, {{.path = "no/broken.png", .reason = "damaged"}});
  }
  std::string error_of(const std::string& rows) {
    try {
      read(rows);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "no error";
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_ / "corrections.csv";
  data::Dataset dataset_;
};

TEST_F(Corrections, KeepRelabelAndDrop) {
  EXPECT_THAT(read("no/a.png,no,relabel,\"yes, well\"\nno/b.png,no,keep,\n"
                   "yes/c.png,\"yes, well\",drop,\n"),
              ElementsAre(1, 0, kDropped));
  EXPECT_THAT(describe_corrections({1, 0, kDropped}, dataset_),
              HasSubstr("1 label changed and 1 photograph dropped"));
}

TEST_F(Corrections, PhotographsThatAreNotNamedStayAsTheyAre) {
  EXPECT_THAT(read(""), ElementsAre(0, 0, 1));
}

TEST_F(Corrections, RowsOfUnreadablePhotographsArePassedOver) {
  EXPECT_THAT(read("no/broken.png,no,drop,\n"), ElementsAre(0, 0, 1));
}

TEST_F(Corrections, ErrorsNameFileAndLine) {
  EXPECT_THAT(error_of("no/z.png,no,drop,\n"),
              HasSubstr(path_ + ":2: 'no/z.png' is not in the data set photos"));
  EXPECT_THAT(error_of("no/a.png,no,keep,\nno/b.png,no,relabel,maybe\n"),
              HasSubstr(":3: 'maybe' is no class; the classes are no, yes, well"));
  EXPECT_THAT(error_of("no/a.png,no,delete,\n"), HasSubstr("action 'delete', expected keep"));
  EXPECT_THAT(error_of("no/a.png,no,keep,\nno/a.png,no,drop,\n"),
              HasSubstr(":3: 'no/a.png' occurs twice: also in line 2"));
  EXPECT_THAT(error_of("no/a.png,no,relabel,\n"),
              HasSubstr(path_ + ":2: relabel, but no new_label: write there one of the classes no, "
                                "yes, well"));
  EXPECT_THAT(error_of("yes/c.png,no,keep,\n"), HasSubstr("decide again"));
}

TEST_F(Corrections, PathsAreFoundAsInOtherTables) {
  dataset_.samples[0].path = "no/caf\u00e9.png";  // composed; decomposed in the table
  EXPECT_THAT(read("no/cafe\u0301.png,no,drop,\n./no/b.png,no,relabel,\"yes, well\"\n"),
              ElementsAre(kDropped, 1, 1));
}

TEST_F(Corrections, DecisionsToKeepAreDecisions) {
  write_file(path_, "path,label,action,new_label\nno/b.png,no,keep,\nno/a.png,no,drop,\n");
  const std::vector<Decision> decisions = read_decisions(path_, dataset_);
  ASSERT_EQ(decisions.size(), 2U);
  EXPECT_EQ(decisions[0].sample, 1U);
  EXPECT_EQ(decisions[0].action, Decision::Action::Keep);
  EXPECT_EQ(decisions[1].sample, 0U);
  EXPECT_EQ(decisions[1].action, Decision::Action::Drop);
}

TEST_F(Corrections, ColumnsMustBeThere) {
  write_file(path_, "path,action\nno/a.png,keep\n");
  EXPECT_THROW(read_corrections(path_, dataset_), FormatError);
}

}  // namespace
}  // namespace hanok::training
