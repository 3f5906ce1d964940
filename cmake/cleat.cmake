# How a folder becomes a library, a component or a test. Sources are found by name, so adding a file needs no edit here.

# cleat_library(NAME DIR DEP...): DIR/**.c, without client/ctl, as the static library cleat-NAME.
function(cleat_library name dir)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${dir}/*.c)
  list(FILTER sources EXCLUDE REGEX "/client/ctl/|/main\\.c$")
  add_library(cleat-${name} STATIC ${sources})
  target_include_directories(cleat-${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(cleat-${name} PUBLIC ${ARGN})
endfunction()

# cleat_component(NAME DEP...): the folder NAME as the library cleat-NAME-core, and its main.c as the program cleat-NAME.
function(cleat_component name)
  cleat_library(${name}-core ${name} ${ARGN})
  add_executable(cleat-${name} ${CMAKE_SOURCE_DIR}/${name}/main.c)
  target_link_libraries(cleat-${name} PRIVATE cleat-${name}-core)
endfunction()

# cleat_command(NAME DIR DEP...): like a component, for a program called NAME in DIR.
function(cleat_command name dir)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${dir}/*.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  add_library(cleat-${name}-core STATIC ${sources})
  target_include_directories(cleat-${name}-core PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(cleat-${name}-core PUBLIC ${ARGN})
  add_executable(${name} ${CMAKE_SOURCE_DIR}/${dir}/main.c)
  target_link_libraries(${name} PRIVATE cleat-${name}-core)
endfunction()
