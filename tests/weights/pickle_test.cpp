// Pickles written by hand: what a state_dict needs is accepted, everything else is rejected.
#include "hanok/kernels/base/error.h"
#include "hanok/weights/torch_objects.h"
#include "hanok/weights/weights.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

class Pickle : public testing::Test {
 protected:
  pickle::Ref run(const std::string& program) {
    const Bytes bytes{reinterpret_cast<const unsigned char*>(program.data()), program.size()};
    TorchResolver resolver("file");
    pickle::Machine machine(bytes, "file", resolver, arena_);
    const pickle::Ref value = machine.run();
    EXPECT_EQ(machine.consumed(), program.size());
    return value;
  }
  void expect_fails(const std::string& program, const std::string& part) {
    try {
      run(program);
      ADD_FAILURE() << "was accepted: " << part;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("file: "));
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  }
  pickle::Arena arena_;
};

TEST_F(Pickle, ReadsNumbers) {
  const auto integer = [&](const std::string& program) {
    return *run(program)->as<std::int64_t>();
  };
  EXPECT_EQ(integer("K\xFF."), 255);
  EXPECT_EQ(integer("M\x01\x02."), 513);
  EXPECT_EQ(integer("J\xFE\xFF\xFF\xFF."), -2);
  EXPECT_EQ(integer("\x8a\x00."s), 0);
  EXPECT_EQ(integer("\x8a\x01\x80."), -128);
  EXPECT_EQ(integer("\x8a\x02\x00\x80."s), -32768);
  EXPECT_EQ(integer("\x8a\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F."), 0x7FFFFFFFFFFFFFFF);
  EXPECT_EQ(integer("\x8b\x02\x00\x00\x00\x01\x02."s), 513);
  EXPECT_EQ(*run("G\x3f\xf8\x00\x00\x00\x00\x00\x00."s)->as<double>(), 1.5);
  EXPECT_NE(run("\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01.")->as<pickle::BigInteger>(),
            nullptr);
  EXPECT_TRUE(*run("\x88.")->as<bool>());
}

TEST_F(Pickle, ReadsTextAndBytes) {
  EXPECT_EQ(*run("\x8c\x02hi.")->as<std::string>(), "hi");
  EXPECT_EQ(*run("X\x02\x00\x00\x00hi."s)->as<std::string>(), "hi");
  EXPECT_EQ(*run("\x8d\x02\x00\x00\x00\x00\x00\x00\x00hi."s)->as<std::string>(), "hi");
  EXPECT_EQ(*run("U\x02hi.")->as<std::string>(), "hi");
  EXPECT_EQ(run("C\x02hi.")->as<pickle::ByteString>()->bytes, "hi");
}

TEST_F(Pickle, ReadsContainersAndMemo) {
  // [(1, 2), {'a': the same tuple}], through the memo
  const auto* list = run("\x80\x04](K\x01K\x02\x86\x94}\x8c\x01"
                         "ah\x00se."s)
                         ->as<pickle::List>();
  ASSERT_EQ(list->items.size(), 2u);
  const auto* dict = list->items[1]->as<pickle::Dict>();
  ASSERT_EQ(dict->items.size(), 1u);
  EXPECT_EQ(dict->items[0].second, list->items[0]);
}

TEST_F(Pickle, RejectsNamesThatRunCode) {
  expect_fails("cos\nsystem\n.", "'os.system'");
  expect_fails("cposix\nsystem\n.", "'posix.system'");
  expect_fails("csubprocess\nPopen\n.", "'subprocess.Popen'");
  expect_fails("c__builtin__\neval\n.", "'__builtin__.eval'");
  expect_fails("cbuiltins\n__import__\n.", "'builtins.__import__'");
  expect_fails(
      "\x8c\x08"
      "builtins\x8c\x04"
      "exec\x93.",
      "'builtins.exec'");
  EXPECT_NE(run("cosmos\nsystem\n.")->as<pickle::Global>(), nullptr);
}

// Each is text and a call of it an object without content, whatever the name.
TEST_F(Pickle, KeepsCallsOfOtherNamesOpaque) {
  for (const std::string name :
       {"torch\nload", "numpy.core.multiarray\nscalar", "torch\nFloatStorage.__class__",
        "torch.\nSize", "torch\nfloat32", "torch\nFloatStorage", "argparse\nNamespace"}) {
    const auto* called = run("c" + name + "\n)R.")->as<pickle::Opaque>();
    ASSERT_NE(called, nullptr) << name;
    std::string expected = name;
    expected[expected.find('\n')] = '.';
    EXPECT_EQ(type_name(*called), expected);
    EXPECT_NE(run("c" + name + "\n)\x81.")->as<pickle::Opaque>(), nullptr) << name;
    EXPECT_NE(run("c" + name + "\n)}\x92.")->as<pickle::Opaque>(), nullptr) << name;
  }
  expect_fails("K\x01)R.", "calls something that is not a name");
  expect_fails("ctorch\nSize\nK\x01R.", "calls something that is not a name");
}

TEST_F(Pickle, KeepsWhatIsPutIntoOpaqueObjects) {
  // A class derived from dict, with attributes; the result of a call is called.
  const auto* object = run("ca\nB\n)\x81}K\x01K\x02sb(K\x03K\x04uK\x05"
                           "aK\x06"
                           "a."s)
                           ->as<pickle::Opaque>();
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(object->state->as<pickle::Dict>()->items.size(), 1u);
  EXPECT_EQ(object->items->as<pickle::Dict>()->items.size(), 1u);
  EXPECT_EQ(object->elements->as<pickle::List>()->items.size(), 2u);
  const auto* again = run("ca\nB\n)R)R)R.")->as<pickle::Opaque>();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(type_name(*again), "a.B");
}

TEST_F(Pickle, NamesTheClassThatAConstructorMakes) {
  const std::string name = "ccopyreg\n_reconstructor\n(ca\nB\nc__builtin__\nobject\nNtR.";
  EXPECT_EQ(type_name(*run(name)->as<pickle::Opaque>()), "a.B");
}

TEST_F(Pickle, ReadsSetsAndDefaultDictsAsTheirItems) {
  EXPECT_EQ(run("\x8f(K\x01K\x02\x90.")->as<pickle::List>()->items.size(), 2u);
  EXPECT_EQ(run("(K\x01K\x02\x91.")->as<pickle::List>()->items.size(), 2u);
  EXPECT_EQ(run("c__builtin__\nset\n](K\x01K\x02"
                "e\x85R.")
                ->as<pickle::List>()
                ->items.size(),
            2u);
  const auto* dict =
      run("ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RK\x01K\x02s.")->as<pickle::Dict>();
  ASSERT_NE(dict, nullptr);
  EXPECT_EQ(dict->items.size(), 1u);
}

TEST_F(Pickle, RefusesInstructionsThatAStateDictDoesNotNeed) {
  for (const char opcode : {'i', 'o', 'P', '\x82', '\x83', '\x84', '\x97', '\x98'}) {
    expect_fails(std::string(")") + opcode + "os\nsystem\n.", "not allowed in a state_dict");
  }
}

TEST_F(Pickle, RefusesDamagedPrograms) {
  expect_fails("", "is truncated");
  expect_fails("K", "is truncated");
  expect_fails("(", "is truncated");
  expect_fails("X\xff\xff\xff\xff", "is truncated");
  expect_fails("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"s, "is truncated");
  expect_fails("ctorch", "is truncated");
  expect_fails(".", "empty stack");
  expect_fails("(.", "empty stack");
  expect_fails("K\x01K\x02.", "more than one object");
  expect_fails("t.", "missing a mark");
  expect_fails("K\x01(a.", "empty stack");
  expect_fails("h\x07.", "memo 7");
  expect_fails(
      "K\x01K\x02"
      "a.",
      "not a list");
  expect_fails("](K\x01K\x02u.", "not a dictionary");
  expect_fails("}(K\x01u.", "a key without a value");
  expect_fails(
      "K\x01K\x02"
      "b.",
      "attributes of an object");
  expect_fails("\x80\x01.", "protocol 1");
  expect_fails("\x80\x06.", "protocol 6");
  expect_fails("K\x01Q.", "a persistent id is neither a tuple nor a list");
}

TEST_F(Pickle, NestsAMillionDeepWithoutRecursion) {
  EXPECT_NE(run(")" + std::string(1'000'000, '\x85') + ".")->as<pickle::Tuple>(), nullptr);
}

TEST_F(Pickle, HoldsObjectsThatContainThemselves) {
  const auto* list = run("]\x94h\x00"
                         "a."s)
                         ->as<pickle::List>();
  EXPECT_EQ(list->items[0]->as<pickle::List>(), list);
}

// Each call copies its arguments, so kilobytes could request gigabytes.
TEST_F(Pickle, LimitsWhatCallsCopy) {
  const auto repeated = [](const std::string& text, int times) {
    std::string result;
    for (int i = 0; i < times; ++i) result += text;
    return result;
  };
  const std::string list = "](" + repeated("K\x01", 100000) + "eq\x00"s + "0";
  const std::string copied = "its calls have more than 4000000 items";
  EXPECT_NE(run(list + repeated("ctorch\nSize\nh\x00\x85R0"s, 40) + "N."), nullptr);
  for (const char* call : {"ctorch\nSize\n", "ccollections\nOrderedDict\n"}) {
    const std::string argument = call[1] == 't' ? "h\x00"s : "}(" + repeated("K\x01N", 50000) + "u";
    const std::string memo = argument + "q\x01"s + "0";
    expect_fails(list + memo + repeated(call + "h\x01\x85R0"s, 100), copied);
  }
  const std::string key =
      "X" + little_endian(1 << 20, 4) + std::string(1 << 20, 'k') + "q\x00"s + "0";
  const std::string storage = "(X\x07\x00\x00\x00storagectorch\nFloatStorage\nh\x00NK\x04tQ0"s;
  expect_fails(key + repeated(storage, 8), copied);
}

TEST_F(Pickle, LimitsTheNumberOfInstructions) {
  expect_fails(std::string(5'000'000, 'N') + ".", "more than 4000000 instructions");
}

class StateDictPickle : public testing::Test {
 protected:
  void expect_fails(const std::string& program, const std::vector<std::string>& parts,
                    int count = 4) {
    write_file(path_, pth_builder(count, program).build());
    expect_format_error(path_, parts);
  }
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "file.pth";
};

TEST_F(StateDictPickle, ReadsTheSmallestStateDict) {
  write_file(path_, pth_builder(4, state_dict_pickle({2, 2}, {1, 2})).build());
  EXPECT_EQ(load(path_).tensors.at("weight").shape(), (Shape{2, 2}));
}

TEST_F(StateDictPickle, RefusesTensorsOutsideTheirStorage) {
  const std::vector<std::string> parts = {"tensor 'weight'", "outside its storage of 4 elements"};
  expect_fails(state_dict_pickle({5}, {1}), parts);
  expect_fails(state_dict_pickle({4}, {1}, 1), parts);
  expect_fails(state_dict_pickle({2}, {4}), parts);
  expect_fails(state_dict_pickle({1}, {1}, -1), parts);
  expect_fails(state_dict_pickle({2}, {-1}, 3), parts);
  expect_fails(state_dict_pickle({2, 2}, {0x7FFFFFFF, 0x7FFFFFFF}), parts);
}

TEST_F(StateDictPickle, RefusesImpossibleShapes) {
  expect_fails(state_dict_pickle({-1}, {1}), {"tensor 'weight'", "negative or too large"});
  expect_fails(state_dict_pickle({0x7FFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF}, {0, 0, 0}),
               {"tensor 'weight'", "negative or too large"});
  expect_fails(state_dict_pickle({1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}),
               {"tensor 'weight'", "7 dimensions"});
  expect_fails(state_dict_pickle({1, 1}, {1}), {"2 sizes and 1 strides"});
}

TEST_F(StateDictPickle, RefusesASmallFileThatAsksForMuchMemory) {
  expect_fails(state_dict_pickle({1 << 20, 1 << 10}, {0, 0}),
               {"tensor 'weight'", "more than 16 times the file's"});
}

TEST_F(StateDictPickle, NamesTypesThatHanokLacks) {
  expect_fails(state_dict_pickle({4}, {1}, 0, 4, "IntStorage"),
               {"tensor 'weight'", "torch.IntStorage"});
}

TEST_F(StateDictPickle, SaysWhatAFileHoldsInstead) {
  expect_fails("\x80\x02K\x01.", {"contains no state_dict", "not a dictionary"});
  expect_fails(
      "\x80\x02}X\x05\x00\x00\x00"
      "epochK\x01s."s,
      {"no named tensors under its keys: 'epoch'"});
  expect_fails("\x80\x02}.", {"under its keys: none"});
}

// 7 keys of state_dicts, nested 8 deep, are six million paths through the cycle.
TEST_F(StateDictPickle, LooksOnceIntoDictionariesThatHoldEachOther) {
  std::string program = "\x80\x02}q\x00("s;
  for (int i = 0; i < 60000; ++i) program += "K\x01N";
  for (const std::string name :
       {"state_dict", "model_state_dict", "model", "module", "net", "network", "weights"}) {
    program += "X" + little_endian(name.size(), 4) + name + "h\x00"s;
  }
  expect_fails(program + "u.", {"contains no state_dict"});
}

TEST_F(StateDictPickle, LeavesOutWhatIsNoTensorAndSaysSo) {
  std::string program = state_dict_pickle({4}, {1});
  program.insert(program.size() - 1,
                 "X\x05\x00\x00\x00"
                 "epochK\x01s"s);
  write_file(path_, pth_builder(4, program).build());
  const WeightFile file = load(path_);
  EXPECT_EQ(file.tensors.size(), 1u);
  ASSERT_EQ(file.notes.size(), 1u);
  EXPECT_THAT(file.notes[0], HasSubstr("'epoch' was ignored"));
}

}  // namespace
}  // namespace hanok::weights::test
