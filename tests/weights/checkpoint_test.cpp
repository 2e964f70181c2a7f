// Checkpoints as training scripts write them: what lies beside the weights does no harm, and what
// is no state_dict is refused with the way out. The files were written by PyTorch (make_pth.py).
#include "hanok/kernels/base/error.h"
#include "hanok/weights/weights.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using namespace std::string_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

std::vector<std::string> names_of(const nn::StateDict& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

class Objects : public testing::TestWithParam<const char*> {};

TEST_P(Objects, StayOpaqueBesideTheStateDictAndAreListed) {
  const WeightFile file = load(committed(GetParam()));
  EXPECT_THAT(names_of(file.tensors),
              ElementsAre("contiguous", "conv.weight", "double", "long", "byte"));
  const std::vector<int> numbers = {0, 1, 5, 6, 8};  // of the tensors in make_pth.py
  std::size_t at = 0;
  for (const auto& [name, tensor] : file.tensors) {
    EXPECT_EQ(logical_values(tensor), formula(tensor.shape(), numbers[at++], tensor.dtype()));
  }
  EXPECT_THAT(file.unsupported, testing::IsEmpty());
  for (const char* line :
       {"[args]: argparse.Namespace", "[matrix]: numpy.ndarray", "[path]: pathlib.PurePosixPath",
        "[started]: datetime.datetime", "[function]: functools.partial",
        "[colour]: __main__.Colour", "[decimal]: decimal.Decimal", "[queue]: collections.deque"}) {
    EXPECT_THAT(file.objects, Contains(line));
  }
  EXPECT_THAT(file.objects, Contains(HasSubstr("[history][loss][0]: numpy")));
  EXPECT_THAT(file.objects, Contains(HasSubstr("(and 1 more of them in the list)")));
  // Sets, counters and defaultdicts are their items.
  for (const char* key : {"[classes]", "[frozen]", "[counts]", "[history]: "}) {
    EXPECT_THAT(file.objects, Not(Contains(HasSubstr(key)))) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoint, Objects,
                         testing::Values("objects.pth", "objects_legacy.pth", "objects_tar.pth"),
                         [](const auto& info) {
                           const std::string name = info.param;
                           return name.substr(0, name.find('.'));
                         });

class OddTensors : public testing::TestWithParam<const char*> {};

TEST_P(OddTensors, AreLeftOutByNameWhereHanokLacksThem) {
  const WeightFile file = load(committed(GetParam()));
  const std::map<std::string, std::string> expected = {
      {"no.sparse", "a sparse tensor"},
      {"no.csr", "a sparse tensor"},
      {"no.quantized", "a quantized tensor"},
      {"no.complex", "torch.ComplexFloatStorage"},
      {"no.conjugate", "a conjugate tensor"},
      {"no.uint16", "'torch.uint16'"},
      {"no.float8", "'torch.float8_e5m2'"},
      {"no.bool", "torch.BoolStorage"},
      {"no.int", "torch.IntStorage"},
      {"no.meta", "a meta tensor, which has no values"},
      {"no.marked", "a tensor of class '__main__.Marked'"},
      {"no.array", "an object of 'numpy.ndarray'"},
  };
  EXPECT_EQ(file.unsupported, expected);
  for (const auto& [name, kind] : expected) {
    EXPECT_FALSE(file.tensors.contains(name)) << name;
    EXPECT_THAT(file.notes, Contains(AllOf(HasSubstr(name), HasSubstr(kind))));
  }
}

TEST_P(OddTensors, WithAttributesOrTheNegativeBitHaveTheirValues) {
  const nn::StateDict tensors = load(committed(GetParam())).tensors;
  EXPECT_EQ(logical_values(tensors.at("plain")), formula({3}, 0, DType::F32));
  EXPECT_EQ(logical_values(tensors.at("tagged")), formula({3}, 1, DType::F32));
  EXPECT_EQ(logical_values(tensors.at("parameter.tagged")), formula({3}, 2, DType::F32));
  const std::vector<double> pairs = formula({2, 2}, 3, DType::F32);
  EXPECT_THAT(logical_values(tensors.at("negated")), ElementsAre(-pairs[1], -pairs[3]));
}

TEST_P(OddTensors, CountersOfAnyTypeBecomeIntegers) {
  const nn::StateDict tensors = with_f32_values(load(committed(GetParam())).tensors);
  for (const auto& [name, count] :
       std::map<std::string, std::int64_t>{{"bn.num_batches_tracked", 17},
                                           {"short.num_batches_tracked", -3},
                                           {"float.num_batches_tracked", 18}}) {
    const Tensor& tensor = tensors.at(name);
    EXPECT_EQ(tensor.dtype(), DType::I64) << name;
    EXPECT_EQ(tensor.rank(), 0) << name;
    EXPECT_EQ(logical_values(tensor), std::vector<double>{static_cast<double>(count)}) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoint, OddTensors,
                         testing::Values("odd_tensors.pth", "odd_tensors_legacy.pth"),
                         [](const auto& info) {
                           const std::string name = info.param;
                           return name.substr(0, name.find('.'));
                         });

TEST(Checkpoint, OfAWholeModuleIsRefusedWithTheLineThatMakesAStateDict) {
  const std::string line = "weights_only=False)";
  expect_format_error(committed("module.pth"),
                      {"whole module ('torch.nn.modules.linear.Linear') at [net]",
                       line + "['net'].state_dict(), 'state_dict.pth')"});
  expect_format_error(committed("module_legacy.pth"), {line + ".state_dict(), 'state_dict.pth')"});
  expect_format_error(committed("script.pt"), {"TorchScript", "torch.jit.load("});
}

TEST(Checkpoint, WithSeveralNetworksGivesAllOfThemByTheirKeys) {
  const WeightFile file = load(committed("twins.pth"));
  EXPECT_THAT(names_of(file.tensors),
              ElementsAre("best", "student.backbone.weight", "student.head.weight",
                          "teacher.backbone.weight"));
  EXPECT_THAT(file.notes, ElementsAre(AllOf(HasSubstr("several dictionaries"),
                                            HasSubstr("[student] (2), [teacher] (1)"))));
  const WeightFile teacher = load(committed("twins.pth"), {{"teacher.backbone", ""}});
  EXPECT_THAT(names_of(teacher.tensors),
              ElementsAre("best", "student.backbone.weight", "student.head.weight", "weight"));
  EXPECT_EQ(logical_values(teacher.tensors.at("weight")), formula({2, 3}, 2, DType::F32));
}

TEST(Checkpoint, WithAnAveragedCopySaysWhichIsTaken) {
  const WeightFile file = load(committed("averaged.pth"));
  EXPECT_EQ(logical_values(file.tensors.at("weight")), formula({2, 3}, 0, DType::F32));
  EXPECT_THAT(file.notes, Contains(HasSubstr("--rename state_dict_ema=")));
  const WeightFile averaged = load(committed("averaged.pth"), {parse_rename("state_dict_ema=")});
  EXPECT_EQ(logical_values(averaged.tensors.at("weight")), formula({2, 3}, 1, DType::F32));
}

// Each object is small and none is looked into twice.
TEST(Checkpoint, WithManyObjectsIsReadQuicklyAndListsTheFirst) {
  const TemporaryFolder folder;
  constexpr int kObjects = 300000;
  std::string program = state_dict_pickle({4}, {1});
  program.pop_back();  // STOP
  std::string list = "X\x04\x00\x00\x00logs](ca\nB\nq\x64)R"s;
  for (int i = 1; i < kObjects; ++i) list += "h\x64)R";
  // One whose type is a long chain of calls.
  std::string chain =
      "X\x05\x00\x00\x00"
      "chainh\x64"s;
  for (int i = 0; i < kObjects; ++i) chain += ")R";
  write_file(folder / "file.pth", pth_builder(4, program + list + "es" + chain + "s.").build());
  const WeightFile file = load(folder / "file.pth");
  EXPECT_EQ(file.tensors.size(), 1u);
  EXPECT_THAT(file.objects, Contains("[logs][0]: a.B (and 299999 more of them in the list)"));
  EXPECT_THAT(file.objects, Contains("[chain]: an object"));
}

TEST(Checkpoint, RenamesBeforeAndAfterDataParallelsPrefixIsGone) {
  for (const char* text : {"module.conv=stem", "conv=stem", "module.conv.=stem."}) {
    const nn::StateDict tensors = load(committed("checkpoint.pth"), {parse_rename(text)}).tensors;
    EXPECT_TRUE(tensors.contains("stem.weight") || tensors.contains("module.stem.weight")) << text;
  }
}

class Renaming : public testing::Test {
 protected:
  std::vector<std::string> after(const std::vector<std::string>& renames) {
    nn::StateDict tensors;
    for (const char* name : {"a.fc.weight", "a.fc.bias", "a.fcs.weight", "b"}) {
      tensors.insert(name, Tensor::zeros({1}));
    }
    std::vector<Rename> parsed;
    for (const std::string& text : renames) parsed.push_back(parse_rename(text));
    rename_tensors(tensors, parsed);
    return names_of(tensors);
  }
  void expect_fails(const std::vector<std::string>& renames, const std::string& part) {
    try {
      after(renames);
      ADD_FAILURE() << renames[0];
    } catch (const ValueError& error) {
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  }
};

TEST_F(Renaming, ActsOnWholePartsOfNames) {
  EXPECT_THAT(after({"a="}), ElementsAre("fc.weight", "fc.bias", "fcs.weight", "b"));
  EXPECT_THAT(after({"a.="}), ElementsAre("fc.weight", "fc.bias", "fcs.weight", "b"));
  EXPECT_THAT(after({"a.fc=head"}), ElementsAre("head.weight", "head.bias", "a.fcs.weight", "b"));
  EXPECT_THAT(after({"b=c.d"}), ElementsAre("a.fc.weight", "a.fc.bias", "a.fcs.weight", "c.d"));
  EXPECT_THAT(after({"=x"}), ElementsAre("x.a.fc.weight", "x.a.fc.bias", "x.a.fcs.weight", "x.b"));
  EXPECT_THAT(after({"a=", "fc=head"}), ElementsAre("head.weight", "head.bias", "fcs.weight", "b"));
}

TEST_F(Renaming, RefusesWhatDoesNothingOrCollides) {
  expect_fails({"c="}, "no name is 'c'");
  expect_fails({"a.f="}, "no name is 'a.f'");
  expect_fails({"a.fcs=a.fc"}, "two tensors the name 'a.fc.weight'");
  expect_fails({"="}, "is not FROM=TO");
  expect_fails({"abc"}, "is not FROM=TO");
}

}  // namespace
}  // namespace hanok::weights::test
