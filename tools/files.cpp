#include "tools/files.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "kernels/base/check.hpp"

namespace tw {

std::string read_text(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream file(path, std::ios::binary);
  TW_CHECK(file && !std::filesystem::is_directory(path), SystemError, "cannot read '", path,
           "': ", std::filesystem::is_directory(path) ? "it is a directory" : std::strerror(errno));
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::string& path, std::string_view text) {
  if (path == "-") {
    std::cout << text << std::flush;
    return;
  }
  const std::string part = path + ".part";
  std::ofstream file(part, std::ios::binary);
  file << text;
  file.close();
  TW_CHECK(file && std::rename(part.c_str(), path.c_str()) == 0, SystemError, "cannot write '", path,
           "': ", std::strerror(errno));
}

void write_json(const std::string& path, const nlohmann::ordered_json& json) { write_text(path, json.dump(2) + "\n"); }

nlohmann::ordered_json read_json(const std::string& path) {
  try {
    return nlohmann::ordered_json::parse(read_text(path));
  } catch (const nlohmann::ordered_json::parse_error& error) {
    TW_FAIL(UsageError, "'", path, "' is not JSON: ", error.what());
  }
}

}  // namespace tw
