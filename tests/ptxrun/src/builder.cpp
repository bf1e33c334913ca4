// Lays out one kernel and the functions it reaches, and decodes their bodies.
#include <cxxabi.h>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>
#include "tests/ptxrun/src/decode.hpp"

namespace ptxrun {
namespace {
std::uint64_t round_up(std::uint64_t v, std::uint64_t to) { return (v + to - 1) / to * to; }
constexpr std::uint32_t kNoTable = ~0u;

std::string_view strip_digits(std::string_view s) {
  while (!s.empty() && s.back() >= '0' && s.back() <= '9') s.remove_suffix(1);
  return s;
}
}  // namespace

const Function* Builder::find_function(std::string_view name) const {
  auto it = module.functions.find(std::string(name));
  return it == module.functions.end() ? nullptr : &it->second;
}

// Functions come before their callers, so that their lower pcs run first and the lanes meet again behind a call.
void Builder::reach(const std::string& name, std::vector<const Function*>& order,
                    std::unordered_map<std::string, int>& state) {
  const Function* f = find_function(name);
  if (!f) throw Unsupported("kernel " + name + " is not in the PTX");
  if (!f->body) return;  // a builtin; a call of it names it
  state[name] = 1;
  Cursor c(module.tokens, f->body);
  std::size_t end = [&] {
    Cursor e = c;
    e.skip_braces();
    return e.at();
  }();
  while (c.at() < end) {
    std::string_view t = c.next();
    if (t.size() < 2 || t[0] == '%' || t[0] == '.') continue;
    const Function* callee = find_function(t);
    if (!callee || callee->entry) continue;
    int& s = state[callee->name];
    if (s == 1) throw Unsupported("recursion: function " + callee->name);
    if (s == 0) reach(callee->name, order, state);
  }
  state[name] = 2;
  order.push_back(f);
}

void Builder::place_shared(const Function& f) {
  auto place = [&](const std::string& key, const Variable& v) {
    if (shared_.count(key)) return;
    std::uint64_t at = round_up(program.shared_bytes, std::max<std::uint32_t>(v.align, 1));
    if (v.size) program.shared_bytes = std::uint32_t(at + v.size);
    shared_[key] = {Symbol::Kind::shared, v.size ? at : ~0ull, v.type, v.size};
  };
  Cursor c(module.tokens, f.body);
  std::size_t end = [&] {
    Cursor e = c;
    e.skip_braces();
    return e.at();
  }();
  while (c.at() < end) {
    std::string_view t = c.next();
    if (t == ".shared") {
      do {
        Variable v = parse_variable(c, Space::shared);
        place(f.name + "/" + v.name, v);
      } while (c.accept(","));
      continue;
    }
    if (t.size() < 1 || t[0] == '%' || t[0] == '.') continue;
    auto it = module.variables.find(std::string(t));
    if (it != module.variables.end() && it->second.space == Space::shared) place(it->first, it->second);
  }
}

std::uint32_t Builder::frame_slot(const Variable& v) {
  std::uint64_t at = round_up(std::max<std::uint32_t>(program.local_bytes, 16), std::max<std::uint32_t>(v.align, 1));
  program.local_bytes = std::uint32_t(at + v.size);
  return std::uint32_t(at);
}

void Builder::place_frame(const Function& f) {
  FunctionLayout& l = layouts_[f.name];
  for (const Variable& v : f.returns) l.returns.push_back(frame_slot(v));
  if (!f.entry) {
    for (const Variable& v : f.params) l.params.push_back(frame_slot(v));
    return;
  }
  for (const Variable& v : f.params) {
    std::uint32_t at = std::uint32_t(round_up(program.param_bytes, v.align));
    program.params.push_back({at, std::uint32_t(v.size)});
    program.param_bytes = at + std::uint32_t(v.size);
  }
  if (f.max_threads) program.max_threads = f.max_threads;
}

void Builder::build(const std::string& kernel) {
  std::vector<const Function*> order;
  std::unordered_map<std::string, int> state;
  reach(kernel, order, state);
  for (const Function* f : order) {
    place_shared(*f);
    place_frame(*f);
  }
  std::uint64_t dynamic = round_up(program.shared_bytes, 16);  // where extern __shared__ starts
  for (auto& [name, s] : shared_)
    if (s.value == ~0ull) {
      s.value = dynamic;
      program.shared_bytes = std::uint32_t(dynamic);
    }
  for (const Function* f : order) decode_body(*f);
  program.entry = layouts_[kernel].pc;
  program.register_bytes = std::uint32_t(round_up(program.register_bytes, 64));
}

std::uint64_t Builder::code_address(std::string_view function) {
  FunctionLayout& l = layouts_[std::string(function)];
  return kCodeWindow + l.pc;
}

void Builder::decode_body(const Function& f) {
  scopes_.assign(1, {});
  in_entry = f.entry;
  scope_ = 0;
  fixups_.clear();
  tables_.clear();
  FunctionLayout& l = layouts_[f.name];
  l.pc = std::uint32_t(program.code.size());
  program.layouts[l.pc] = l;
  for (std::size_t i = 0; i < f.returns.size(); ++i)
    scopes_[0].symbols[f.returns[i].name] = {Symbol::Kind::frame, l.returns[i], f.returns[i].type, f.returns[i].size};
  for (std::size_t i = 0; i < f.params.size(); ++i)
    scopes_[0].symbols[f.params[i].name] = {f.entry ? Symbol::Kind::kernel_param : Symbol::Kind::frame,
                                            f.entry ? program.params[i].offset : l.params[i], f.params[i].type,
                                            f.params[i].size};
  Cursor c(module.tokens, f.body);
  c.next();
  for (int depth = 1; depth;) {
    std::string_view t = c.peek();
    if (t == "{") {
      c.next();
      ++depth;
      Scope inner;
      inner.parent = scope_;
      scopes_.push_back(std::move(inner));
      scope_ = int(scopes_.size()) - 1;
    } else if (t == "}") {
      c.next();
      --depth;
      scope_ = scopes_[scope_].parent;
    } else if (t == ";")
      c.next();
    else if (t == ".reg") {
      c.next();
      declare(c, Space::generic, f);
    } else if (t == ".local") {
      c.next();
      declare(c, Space::local, f);
    } else if (t == ".param") {
      c.next();
      declare(c, Space::param, f);
    } else if (t == ".shared") {
      c.next();
      declare(c, Space::shared, f);
    } else if (t == ".pragma") {
      while (!c.accept(";")) c.next();
    } else if (t == ".loc") {
      c.next();
      std::uint64_t file = parse_number(c.next(), false, 4), line = parse_number(c.next(), false, 4);
      source_ = std::uint32_t(file << 20 | (line & 0xfffff));
      c.skip_line();
    } else if (c.peek(1) == ":") {
      c.next();
      c.next();
      if (c.peek() == ".branchtargets")
        add_table(c, t);
      else if (c.peek() == ".callprototype") {
        while (!c.accept(";")) c.next();
      } else
        scopes_[scope_].labels[t] = std::uint32_t(program.code.size());
    } else
      add_statement(c);
  }
  scope_ = 0;
  Statement end;  // falling off the end returns
  end.opcode = "ret";
  Decode d(*this, end);
  find_decoder("ret")(d);
  program.code.push_back(d.in);
  resolve_labels();
}

void Builder::declare(Cursor& c, Space space, const Function& f) {
  Type type = Type::none;
  do {
    Variable v = parse_variable(c, space);
    if (v.type == Type::none)
      v.type = type;
    else
      type = v.type;  // .reg .b32 a, b;
    // Names outlive v: they are taken from the token just read.
    std::string_view name = v.name;
    auto& scope = scopes_[scope_];
    static std::set<std::string>* names = new std::set<std::string>;
    name = *names->insert(v.name).first;
    if (space == Space::generic) {
      if (v.count)
        scope.ranges[name] = v;
      else
        scope.symbols[name] = {Symbol::Kind::reg, new_register(v.type), v.type, size_of(v.type)};
    } else if (space == Space::shared)
      scope.symbols[name] = shared_.at(f.name + "/" + v.name);
    else
      scope.symbols[name] = {Symbol::Kind::frame, frame_slot(v), v.type, v.size};
  } while (c.accept(","));
  c.expect(";");
}

std::uint32_t Builder::new_register(Type t) {
  if (t == Type::pred) {
    if (!predicates_left_) {
      predicates_left_ = 16;
      next_predicate_ = program.register_bytes;
      program.register_bytes += 64;
    }
    --predicates_left_;
    return std::exchange(next_predicate_, next_predicate_ + 4);
  }
  std::uint32_t ref = program.register_bytes;
  program.register_bytes += std::max(2u, size_of(t)) * kLanes;
  if (program.register_bytes > kRefOffset) throw Unsupported("too many registers");
  return ref;
}

const Symbol& Builder::lookup(std::string_view name) {
  std::string_view prefix = strip_digits(name);
  for (int s = scope_; s >= 0; s = scopes_[s].parent) {
    Scope& scope = scopes_[s];
    auto it = scope.symbols.find(name);
    if (it != scope.symbols.end()) return it->second;
    auto range = scope.ranges.find(prefix);
    if (range == scope.ranges.end()) continue;
    Type t = range->second.type;
    return scope.symbols[name] = {Symbol::Kind::reg, new_register(t), t, size_of(t)};
  }
  auto shared = shared_.find(std::string(name));
  if (shared != shared_.end()) return shared->second;
  auto address = module.addresses.find(std::string(name));
  if (address != module.addresses.end())
    return global_symbol_ = {Symbol::Kind::address, address->second, Type::none, 0};
  if (is_function(name)) return global_symbol_ = {Symbol::Kind::function, code_address(name), Type::none, 0};
  throw Unsupported("unknown name '" + std::string(name) + "'");
}

std::uint32_t Builder::constant(std::uint64_t bits, unsigned bytes) {
  bytes = std::max(bytes, 2u);
  if (bytes < 8) bits &= (1ull << (bytes * 8)) - 1;
  auto [it, fresh] = constant_refs_.try_emplace({bits, bytes}, 0);
  if (!fresh) return it->second;
  it->second = kRefConstant | std::uint32_t(program.constants.size());
  for (int i = 0; i < kLanes; ++i)
    for (unsigned k = 0; k < bytes; ++k) program.constants.push_back(k < 8 ? std::uint8_t(bits >> (8 * k)) : 0);
  return it->second;
}

void Builder::branch_to(std::string_view label, std::uint32_t* slot) {
  std::uint32_t table = slot ? std::uint32_t(program.branch_tables.size() - 1) : kNoTable;
  std::uint32_t index = slot ? std::uint32_t(slot - program.branch_tables.back().data()) : 0;
  fixups_.push_back({scope_, label, std::uint32_t(program.code.size()), table, index});
}

void Builder::add_table(Cursor& c, std::string_view name) {
  c.next();
  std::vector<std::string_view> labels;
  do labels.push_back(c.next());
  while (c.accept(","));
  c.expect(";");
  tables_[name] = std::uint32_t(program.branch_tables.size());
  program.branch_tables.emplace_back(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) branch_to(labels[i], &program.branch_tables.back()[i]);
}

std::uint32_t Builder::branch_table(std::string_view name) {
  auto it = tables_.find(name);
  if (it == tables_.end()) throw Unsupported("branch table " + std::string(name) + " behind its use");
  return it->second;
}

void Builder::resolve_labels() {
  for (const Fixup& f : fixups_) {
    std::uint32_t pc = ~0u;
    for (int s = f.scope; s >= 0 && pc == ~0u; s = scopes_[s].parent) {
      auto it = scopes_[s].labels.find(f.label);
      if (it != scopes_[s].labels.end()) pc = it->second;
    }
    if (pc == ~0u) throw Unsupported("label " + std::string(f.label) + " not found");
    if (f.table != kNoTable)
      program.branch_tables[f.table][f.slot] = pc;
    else
      program.code[f.inst].imm = pc;
  }
}

void Builder::add_statement(Cursor& c) {
  Statement st = parse_statement(c);
  Decode d(*this, st);
  std::size_t fixups = fixups_.size();
  try {
    Decoder decoder = find_decoder(d.base);
    if (!decoder) d.unsupported();
    decoder(d);
    if (!d.mods.empty()) d.unsupported("modifier ." + std::string(d.mods[0]));
  } catch (const Unsupported& e) {  // an error only if it is executed
    fixups_.resize(fixups);
    d.in = Inst{};
    d.in.imm = std::int64_t(program.text.size());
    program.text.push_back(e.what());
    d.in.fn = [](Warp&, const Inst&, std::uint32_t) {};
    find_decoder("@unsupported")(d);
  }
  if (!st.guard.empty()) {
    const Symbol& s = lookup(st.guard);
    d.in.guard = std::uint32_t(s.value);
    d.in.guard_negated = st.guard_negated;
  }
  d.in.line = st.line;
  d.in.source = source_;
  program.code.push_back(d.in);
}

std::string readable(const std::string& symbol) {
  int status;
  char* s = abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status);
  std::string out = status == 0 ? s : symbol;
  std::free(s);
  return out;
}

std::unique_ptr<Program> build_program(const Module& m, const std::string& kernel) {
  auto p = std::make_unique<Program>();
  p->name = kernel;
  p->display = readable(kernel);
  if (p->display.size() > 200) p->display = p->display.substr(0, 197) + "...";
  p->module = &m;
  Builder(m, *p).build(kernel);
  return p;
}

}  // namespace ptxrun
