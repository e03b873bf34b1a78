// A place in the source, as std::source_location tells it, which clang 14 hasn't got: the fuzz target is built by that.
#ifndef DAXFILE_SITE_H_
#define DAXFILE_SITE_H_

#include <cstdint>

namespace daxfile {

class Site {
 public:
  constexpr Site(const char* file_name, uint32_t line, const char* function_name)
      : file_name_(file_name), function_name_(function_name), line_(line) {}

  // As a default argument: the caller's place.
  static constexpr Site current(const char* file_name = __builtin_FILE(), uint32_t line = __builtin_LINE(),
                                const char* function_name = __builtin_FUNCTION()) {
    return Site(file_name, line, function_name);
  }
  constexpr const char* file_name() const { return file_name_; }
  constexpr uint32_t line() const { return line_; }
  constexpr const char* function_name() const { return function_name_; }

 private:
  const char* file_name_;
  const char* function_name_;
  uint32_t line_;
};

}  // namespace daxfile

#endif  // DAXFILE_SITE_H_
