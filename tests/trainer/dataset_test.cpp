// IDX files and data sets: what is read, and what is refused.
#include "trainer/dataset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tightwire/error.hpp>

#include "tests/trainer/support.hpp"
#include "trainer/idx.hpp"

namespace tw::trainer {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class Idx : public testing::Test {
 protected:
  std::string file(std::span<const std::uint8_t> bytes) const {
    write_gzip(folder.path("array.gz"), bytes);
    return folder.path("array.gz");
  }
  TemporaryFolder folder;
  const std::vector<std::uint8_t> values{1, 2, 3, 4, 5, 6};
};

TEST_F(Idx, IsReadCompressedAndPlain) {
  const IdxArray array = read_idx(file(idx_bytes({2, 3}, values)), 2);
  EXPECT_EQ(array.dimensions, (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(array.values, values);
  write_bytes(folder.path("plain"), idx_bytes({6}, values));
  EXPECT_EQ(read_idx(folder.path("plain"), 1).values, values);
}

TEST_F(Idx, OfOtherRankOrTypeIsRefused) {
  const std::string path = file(idx_bytes({2, 3}, values));
  EXPECT_THAT([&] { read_idx(path, 3); }, ThrowsMessage<WireError>(HasSubstr("with 3 dimensions")));
  std::vector<std::uint8_t> floats = idx_bytes({6}, values);
  floats[2] = 13;
  EXPECT_THAT([&] { read_idx(file(floats), 1); }, ThrowsMessage<WireError>(HasSubstr("no IDX file")));
}

TEST_F(Idx, ThatEndsEarlyIsTorn) {
  for (const std::size_t kept : {std::size_t{0}, std::size_t{3}, std::size_t{6}, std::size_t{13}}) {
    std::vector<std::uint8_t> bytes = idx_bytes({2, 3}, values);
    bytes.resize(kept);
    EXPECT_THAT([&] { read_idx(file(bytes), 2); }, ThrowsMessage<WireError>(HasSubstr("torn"))) << kept;
  }
}

TEST_F(Idx, WhoseCompressedFileIsCutOrChangedIsTorn) {
  const std::string path = file(idx_bytes({2, 3}, values));
  const std::vector<std::uint8_t> whole = read_bytes(path);
  for (std::size_t kept = 1; kept < whole.size(); ++kept) {
    write_bytes(path, std::span(whole).first(kept));
    EXPECT_THROW(read_idx(path, 2), WireError) << kept;
  }
  std::vector<std::uint8_t> changed = whole;
  changed[changed.size() - 6] ^= 1;  // the checksum at the end
  write_bytes(path, changed);
  EXPECT_THAT([&] { read_idx(path, 2); }, ThrowsMessage<WireError>(HasSubstr("torn")));
}

TEST_F(Idx, WithMoreThanItsHeaderSaysIsRefused) {
  const std::string path = file(idx_bytes({5}, values));
  EXPECT_THAT([&] { read_idx(path, 1); }, ThrowsMessage<WireError>(HasSubstr("goes on after")));
}

TEST_F(Idx, WithAForgedSizeIsRefusedBeforeItIsAllocated) {
  const std::string path = file(idx_bytes({0xffffffff, 0xffffffff}, values));
  EXPECT_THAT([&] { read_idx(path, 2); }, ThrowsMessage<WireError>(HasSubstr("claims more than")));
}

TEST_F(Idx, ThatIsMissingIsNamed) {
  EXPECT_THAT([&] { read_idx(folder.path("nowhere"), 1); }, ThrowsMessage<SystemError>(HasSubstr("nowhere")));
}

class Datasets : public testing::Test {
 protected:
  Datasets() { write_dataset(folder.path(), small); }
  void replace_labels(const std::string& prefix, const std::vector<std::uint8_t>& labels) const {
    write_gzip(folder.path(prefix + "-labels-idx1-ubyte.gz"),
               idx_bytes({static_cast<std::uint32_t>(labels.size())}, labels));
  }
  const Dataset small = small_dataset(20, 10);
  TemporaryFolder folder;
};

TEST_F(Datasets, AreReadFromTheirFourFiles) {
  const Dataset dataset = load_dataset("fashion-mnist", folder.path());
  EXPECT_EQ(dataset.features, 64u);
  EXPECT_EQ(dataset.classes, 10u);
  EXPECT_EQ(dataset.train.images, small.train.images);
  EXPECT_EQ(dataset.test.labels, small.test.labels);
}

TEST_F(Datasets, ThatAreMissingSayWhichPackageBringsThem) {
  EXPECT_THAT([&] { load_dataset("fashion-mnist", folder.path("none")); },
              ThrowsMessage<UsageError>(testing::AllOf(HasSubstr("dataset-fashion-mnist"), HasSubstr("--data-dir"))));
}

TEST_F(Datasets, OfUnknownNamesAreAnsweredWithTheKnown) {
  EXPECT_THAT([&] { load_dataset("imagenet", ""); },
              ThrowsMessage<UsageError>(testing::AllOf(HasSubstr("'imagenet'"), HasSubstr("fashion-mnist"))));
}

TEST_F(Datasets, WithMoreImagesThanLabelsAreRefused) {
  replace_labels("train", std::vector<std::uint8_t>(19));
  EXPECT_THAT([&] { load_dataset("fashion-mnist", folder.path()); }, ThrowsMessage<WireError>(HasSubstr("19")));
}

TEST_F(Datasets, WithALabelOfNoClassAreRefused) {
  replace_labels("t10k", std::vector<std::uint8_t>(10, 10));
  EXPECT_THAT([&] { load_dataset("fashion-mnist", folder.path()); }, ThrowsMessage<WireError>(HasSubstr("label 10")));
}

TEST_F(Datasets, GiveBatchesOfNormalisedImages) {
  Batch batch;
  batch.fill(small, small.train, std::vector<std::uint32_t>{3, 0});
  ASSERT_EQ(batch.count(), 2u);
  EXPECT_EQ(batch.labels[0], small.train.labels[3]);
  EXPECT_EQ(batch.images[5], small.value_of_byte[small.train.images[3 * 64 + 5]]);
  EXPECT_EQ(batch.images[64], small.value_of_byte[small.train.images[0]]);
}

}  // namespace
}  // namespace tw::trainer
