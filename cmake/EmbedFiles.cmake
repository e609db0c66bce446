# SPDX-License-Identifier: Apache-2.0
# Writes a C++ file in which each of FILES (name=path) is prelude::experiments::assets::name, a string view.
# cmake -DOUTPUT=file.cpp "-DFILES=a=path;b=path" -P EmbedFiles.cmake
set(text "// Written by cmake/EmbedFiles.cmake.\n#include <string_view>\n\nnamespace prelude::experiments::assets {\n\n")
foreach(entry IN LISTS FILES)
  string(REGEX MATCH "^([a-z]+)=(.*)$" unused "${entry}")
  set(name ${CMAKE_MATCH_1})
  set(path ${CMAKE_MATCH_2})
  # As hexadecimal bytes: CMake's lists and C++'s raw strings both give meaning to some characters of JavaScript.
  file(READ "${path}" bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  file(SIZE "${path}" size)
  string(APPEND text "extern const std::string_view ${name};\nconst std::string_view ${name}(\"${bytes}\", ${size});\n\n")
endforeach()
string(APPEND text "}  // namespace prelude::experiments::assets\n")
file(WRITE "${OUTPUT}" "${text}")
