// PTX text: tokens, statements, and the declarations of one module.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>
#include "tests/ptxrun/src/isa.hpp"

namespace ptxrun {

struct Token {
  std::string_view text;
  std::uint32_t line;
};
std::vector<Token> tokenize(std::string_view text);

struct Operand {
  enum class Kind : std::uint8_t { name, number, memory, vector, list, sink };
  Kind kind = Kind::name;
  bool negated = false;        // !p
  std::string_view name;       // register, symbol, label, or the digits of a number
  std::string_view pair;       // q of p|q
  bool minus = false;          // sign of a number
  std::int64_t offset = 0;     // name + offset
  std::vector<Operand> items;  // of a vector or a list
};

struct Statement {
  std::string_view opcode, guard;
  bool guard_negated = false;
  std::vector<Operand> ops;
  std::uint32_t line = 0;
};

std::uint64_t parse_number(std::string_view digits, bool minus, unsigned bytes);

// A position in the tokens.
class Cursor {
 public:
  Cursor(const std::vector<Token>& tokens, std::size_t at) : tokens_(&tokens), at_(at) {}
  std::string_view peek(std::size_t ahead = 0) const {
    return at_ + ahead < tokens_->size() ? (*tokens_)[at_ + ahead].text : std::string_view();
  }
  std::uint32_t line() const { return at_ < tokens_->size() ? (*tokens_)[at_].line : 0; }
  std::string_view next() { return at_ < tokens_->size() ? (*tokens_)[at_++].text : std::string_view(); }
  bool accept(std::string_view t) { return peek() == t ? (++at_, true) : false; }
  void expect(std::string_view t);
  void skip_line();
  void skip_braces();  // at "{": to behind its "}"
  bool done() const { return at_ >= tokens_->size(); }
  std::size_t at() const { return at_; }

 private:
  const std::vector<Token>* tokens_;
  std::size_t at_;
};

Statement parse_statement(Cursor& c);  // from the guard or opcode to behind the ";"

struct Variable {
  std::string name;
  Space space = Space::global;
  Type type = Type::none;
  std::uint32_t align = 1;
  std::uint64_t size = 0;   // 0: extern, unsized
  std::uint32_t count = 0;  // %r<count>
  std::vector<std::uint8_t> init;
  struct Address {
    std::uint64_t at;
    std::string name;
    std::int64_t offset;
    bool generic;
  };
  std::vector<Address> addresses;
};
Variable parse_variable(Cursor& c, Space space);  // behind the space directive, up to but not over , ; or )

struct Function {
  std::string name;
  bool entry = false;
  std::vector<Variable> params, returns;
  std::size_t body = 0;  // token of "{", 0: only declared
  std::uint32_t max_threads = 0;
};

struct Module {
  std::string text;
  std::vector<Token> tokens;
  std::unordered_map<std::string, Variable> variables;  // module scope: global, const, shared
  std::vector<std::string> variable_order;
  std::unordered_map<std::string, Function> functions;
  std::map<unsigned, std::string> files;                     // .file of -lineinfo
  std::unordered_map<std::string, std::uint64_t> addresses;  // of global and const variables, once placed
};
std::unique_ptr<Module> parse_module(std::string text);

}  // namespace ptxrun
