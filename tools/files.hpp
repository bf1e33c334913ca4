// Whole files in and out; "-" is the standard stream. Errors name the file and what the system said.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace tw {

std::string read_text(const std::string& path);
/// Writes beside `path` and renames, so that nobody sees half a file.
void write_text(const std::string& path, std::string_view text);
void write_json(const std::string& path, const nlohmann::ordered_json& json);
/// Throws UsageError that names the file and where it stops being JSON.
nlohmann::ordered_json read_json(const std::string& path);

}  // namespace tw
