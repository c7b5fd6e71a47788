#include "app/wait_page_words.h"

namespace spillway::app {
namespace {

constexpr WaitPageWords kEnglish = {
    .enter_title = "There is a line",
    .enter_text = "Take a place. People go in, in the order in which they came.",
    .enter_button = "Take a place",
    .opens_text = "It opens on {}. You can take your place now.",
    .sign_in_title = "Sign in to take a place",
    .sign_in_button = "Sign in and take a place",
    .paused_title = "The line is paused",
    .paused_text = "Nobody new can join just now.",
    .full_title = "The line is full",
    .full_text = "There is no room for more people just now.",
    .cookies_title = "We could not keep your place",
    .cookies_text = "Your browser keeps no cookies for this site. Please allow them, and press again.",
    .busy_title = "One moment, please",
    .tries_again = "Nothing to do: this page tries again by itself.",

    .waiting_title = "You are in line",
    .place_label = "Your place in the line",
    .progress_label = "Your way to the front",
    .wait_label = "Estimated wait",
    .wait_unknown = "We cannot say yet",
    .wait_moment = "Less than a minute",
    .wait_up_to_minutes = "Up to {1} minutes",
    .wait_minutes = "{0} to {1} minutes",
    .wait_up_to_hours = "Up to {1} hours",
    .wait_hours = "{0} to {1} hours",
    .wait_days = "More than a day",
    .keep_text =
        "You can close this tab and come back: your place is kept. Be here near the end, because from the "
        "moment it is your turn you have {} seconds to enter.",
    .halted_title = "The line is paused",
    .halted_text = "Nobody is let in just now. Your place is kept, and it goes on by itself.",
    .soon_title = "Not open yet",
    .soon_text = "It opens on {}.",
    .soon_order = "You have your place already. There is no need to hurry or to reload.",
    .lottery_text =
        "When it opens, the order is drawn by lot among all who are here by then. It does not matter who "
        "came "
        "first.",
    .lottery_link = "The sealed draw, so that you can check it afterwards",
    .drawing_title = "The order is being drawn",
    .drawing_text = "A moment, and you will see your place.",
    .sound = "Sound when it is my turn",

    .ready_title = "It is your turn",
    .ready_text = "Enter by {}. After that the next person is let in.",
    .ready_button = "Enter now",
    .ready_alert = "Enter now!",
    .active_title = "You are in",
    .active_text = "Your time there lasts until {}.",
    .active_idle_text = "Your time lasts until {}, and longer for as long as you are using the site.",
    .active_button = "Go to the site",

    .leave = "Leave the line",
    .leave_text = "Your place will be gone. If you line up again, you start at the end.",
    .leave_button = "Give up my place",
    .done = "I am done",
    .done_text = "The next person is let in at once, and you are out.",

    .left_title = "You have left the line",
    .left_text = "Your place is free for others. You can line up again at the end.",
    .missed_title = "Your turn has passed",
    .missed_text = "It was your turn, and you did not enter in time, so the next person was let in.",
    .over_title = "Your time is over",
    .over_text = "The time that everybody has there has run out.",
    .old_title = "Your place has expired",
    .old_text = "It was from some time ago, and is not kept any more.",
    .again_button = "Line up again",

    .elsewhere_title = "Sign-in is elsewhere",
    .elsewhere_text =
        "People sign in at another place here, and come back from there with a place in the line.",
    .nobody_title = "Nobody can line up here",
    .nobody_text = "This server has no sign-in for people. Ask the organisers how to get in.",
    .offline = "No connection. Trying again; your place is kept.",
    .missing_title = "There is no such line",
    .missing_text = "Please check the address: every letter counts.",
};

constexpr WaitPageWords kKorean = {
    .enter_title = "지금은 줄을 서서 들어갑니다",
    .enter_text = "순번을 받으면 온 순서대로 들어갑니다.",
    .enter_button = "순번 받기",
    .opens_text = "{}에 시작합니다. 지금 순번을 받을 수 있습니다.",
    .sign_in_title = "로그인하고 줄을 서세요",
    .sign_in_button = "로그인하고 순번 받기",
    .paused_title = "대기열이 잠시 멈췄습니다",
    .paused_text = "지금은 새로 줄을 설 수 없습니다.",
    .full_title = "대기열이 가득 찼습니다",
    .full_text = "지금은 더 받을 자리가 없습니다.",
    .cookies_title = "순번을 보관하지 못했습니다",
    .cookies_text = "브라우저가 이 사이트의 쿠키를 저장하지 않습니다. 쿠키를 허용하고 다시 눌러 주세요.",
    .busy_title = "잠시만 기다려 주세요",
    .tries_again = "그대로 두시면 이 페이지가 저절로 다시 시도합니다.",

    .waiting_title = "대기 중입니다",
    .place_label = "내 대기 순번",
    .progress_label = "맨 앞까지 온 정도",
    .wait_label = "예상 대기 시간",
    .wait_unknown = "아직 알 수 없습니다",
    .wait_moment = "1분 미만",
    .wait_up_to_minutes = "최대 {1}분",
    .wait_minutes = "{0}~{1}분",
    .wait_up_to_hours = "최대 {1}시간",
    .wait_hours = "{0}~{1}시간",
    .wait_days = "하루 이상",
    .keep_text =
        "이 탭을 닫았다가 다시 와도 순번은 그대로입니다. 다만 차례가 되면 {}초 안에 들어가야 하니, 끝이 "
        "가까워지면 여기에서 기다려 주세요.",
    .halted_title = "대기열이 잠시 멈췄습니다",
    .halted_text = "지금은 아무도 들어가지 않습니다. 순번은 그대로이고, 저절로 다시 움직입니다.",
    .soon_title = "아직 시작 전입니다",
    .soon_text = "{}에 시작합니다.",
    .soon_order = "순번은 이미 받았습니다. 서두르거나 새로 고칠 필요가 없습니다.",
    .lottery_text = "시작할 때 그때까지 온 모든 분의 순서를 추첨합니다. 먼저 온 순서는 상관없습니다.",
    .lottery_link = "나중에 확인할 수 있도록 미리 봉인한 추첨 정보",
    .drawing_title = "순서를 추첨하고 있습니다",
    .drawing_text = "잠시 뒤에 내 순번이 나타납니다.",
    .sound = "내 차례에 소리로 알리기",

    .ready_title = "내 차례입니다",
    .ready_text = "{}까지 들어가 주세요. 그 뒤에는 다음 분이 들어갑니다.",
    .ready_button = "지금 들어가기",
    .ready_alert = "지금 들어가세요!",
    .active_title = "입장했습니다",
    .active_text = "{}까지 이용할 수 있습니다.",
    .active_idle_text = "{}까지 이용할 수 있고, 사이트를 쓰는 동안에는 더 이어집니다.",
    .active_button = "사이트로 가기",

    .leave = "대기 그만두기",
    .leave_text = "순번이 사라집니다. 다시 줄을 서면 맨 뒤부터 기다립니다.",
    .leave_button = "내 순번 포기하기",
    .done = "이용을 마쳤습니다",
    .done_text = "바로 다음 분이 들어가고, 내 이용은 끝납니다.",

    .left_title = "대기를 그만두었습니다",
    .left_text = "순번은 다른 분께 돌아갔습니다. 맨 뒤에서 다시 줄을 설 수 있습니다.",
    .missed_title = "차례가 지나갔습니다",
    .missed_text = "차례가 되었지만 시간 안에 들어가지 않아 다음 분이 들어갔습니다.",
    .over_title = "이용 시간이 끝났습니다",
    .over_text = "모두에게 주어진 이용 시간이 다 되었습니다.",
    .old_title = "순번이 만료되었습니다",
    .old_text = "오래된 순번이라 더는 보관하지 않습니다.",
    .again_button = "다시 줄 서기",

    .elsewhere_title = "로그인은 다른 곳에서 합니다",
    .elsewhere_text = "여기서는 다른 서비스에서 로그인하고, 그곳에서 순번을 받아 돌아옵니다.",
    .nobody_title = "여기서는 줄을 설 수 없습니다",
    .nobody_text = "이 서버에는 참가자 로그인이 없습니다. 들어가는 방법은 주최 측에 문의해 주세요.",
    .offline = "연결이 끊겼습니다. 다시 연결하고 있으며, 순번은 그대로입니다.",
    .missing_title = "그런 대기열이 없습니다",
    .missing_text = "주소를 다시 확인해 주세요. 글자 하나까지 정확해야 합니다.",
};

}  // namespace

const WaitPageWords& wait_page_words(Language language) {
  return language == Language::kKorean ? kKorean : kEnglish;
}

}  // namespace spillway::app
