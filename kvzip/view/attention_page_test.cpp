#include "kvzip/view/attention_page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kvzip/view/page_sources.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;

ViewedAttention some_attention(bool causal) {
  ViewedAttention viewed;
  viewed.name = "</script>.txt";
  viewed.model = "tiny";
  viewed.token_texts = {"<b>", "\xFF", " c"};
  viewed.causal = causal;
  viewed.windows = {0};
  viewed.maps = {1, 2, 5, 3, {1, 0, 0, 0.25F, 0.75F, 0, 0.01F, 0.5F, 0.49F, 1, 0, 0, 0, 1, 0, NAN, 2, -1}};
  return viewed;
}

Json data_of(const std::string& page) {
  const std::string_view source = attention_page_source();
  const size_t begin = source.find(kPageDataMark);
  const size_t behind = source.size() - begin - kPageDataMark.size();
  const std::string text = page.substr(begin, page.size() - behind - begin);
  EXPECT_EQ(text.find_first_of("<>&"), std::string::npos);
  return Json::parse(text);
}

TEST(AttentionPage, HoldsHalfOfACausalMap) {
  const Json data = data_of(attention_page(some_attention(true)));
  // 255, | 127.5, 220.8, | 25.5, 180.3, 178.5 of the first head; then 255, | 0, 255, | none, too much, too little.
  EXPECT_EQ(data["weights"], "/4DdGrSz/wD/AP8A");
  EXPECT_EQ(data["document"], "</script>.txt");
  EXPECT_EQ(data["texts"][1], "\xEF\xBF\xBD");
  EXPECT_EQ(data["first"], 5);
  EXPECT_TRUE(data["second"].is_null());
}

TEST(AttentionPage, HoldsAllOfAnEncodersMap) {
  ViewedAttention viewed = some_attention(false);
  viewed.second = 2;
  const Json data = data_of(attention_page(viewed));
  EXPECT_EQ(data["weights"].get<std::string>().size(), 24U);
  EXPECT_EQ(data["second"], 2);
  EXPECT_EQ(data["causal"], false);
}

}  // namespace
}  // namespace kvzip
