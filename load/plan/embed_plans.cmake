# cmake -DFROM=DIRECTORY -DTO=FILE.cc -P embed_plans.cmake: the .toml files of a directory as shipped_plans() of plan.h.
file(GLOB files ${FROM}/*.toml)
list(SORT files)
set(table "")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} text)
  string(APPEND table "      {\"${name}\", R\"plan(${text})plan\"},\n")
endforeach()
file(WRITE ${TO} "#include \"load/plan/plan.h\"

namespace spillway::load {

const std::vector<std::pair<std::string_view, std::string_view>>& shipped_plans() {
  static const std::vector<std::pair<std::string_view, std::string_view>> plans = {
${table}  };
  return plans;
}

}  // namespace spillway::load
")
