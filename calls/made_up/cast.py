"""Who is in it: teams, accounts and people, by name, and the nicknames of contacts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from django.contrib.auth.hashers import make_password

from calls.models import Account, Person, Team, VendorApp

TEAMS = ["售后一组", "售后二组", "售后三组", "销售一组", "销售二组", "渠道组", "大客户组", "夜班组"]

SUPERVISORS = [("zhaomin", "赵敏"), ("songjiang", "宋建国"), ("panyue", "潘悦")]
EVERYWHERE = [("fangzhou", "方舟"), ("tangning", "唐宁")]  # agents who see all accounts
AGENTS = [  # every eighth is in the same team
    ("lilei", "李雷"), ("zhoutao", "周涛"), ("wangfang", "王芳"), ("zhangwei", "张伟"),
    ("liuyang", "刘洋"), ("chenjing", "陈静"), ("yangming", "杨明"), ("huangli", "黄丽"),
    ("hanmeimei", "韩梅梅"), ("zhaolei", "赵磊"), ("wuxia", "吴霞"), ("xuqian", "徐倩"),
    ("sunjie", "孙杰"), ("mahui", "马慧"), ("zhujun", "朱军"), ("huxue", "胡雪"),
    ("guopeng", "郭鹏"), ("heyan", "何燕"), ("linfeng", "林峰"), ("gaoyuan", "高媛"),
    ("luobin", "罗斌"), ("zhengshuang", "郑爽"), ("liangchao", "梁超"), ("xieting", "谢婷"),
    ("hankai", "韩凯"), ("dengjie", "邓洁"), ("fengxu", "冯旭"), ("yudan", "于丹妮"),
    ("dongqi", "董琪"), ("xiaohan", "肖涵"), ("chengyi", "程毅"), ("caoyue", "曹玥"),
]  # fmt: skip
LEFT = [("yuanfei", "袁飞"), ("pengna", "彭娜"), ("jiangbo", "蒋波")]  # agents who aren't with the company any more
STAYED_FOR = 0.6  # of the history

FIRST_ACCOUNT = 1688851873049028
FEWEST_ACCOUNTS, MOST_ACCOUNTS = 12, 200
WITHOUT_TEAM = 25  # one of so many accounts, the third among them
NAMELESS = 3  # as accounts are when they are first called: that place in the list

ACCOUNT_NAMES = ["小林", "苏苏", "小周", "阿哲", "晓雯", "大鹏", "可可", "子墨", "佳佳", "思远", "小鱼", "天天", "露露",
                 "明哥", "小满", "果果", "安安", "老吴", "婷婷", "阿杰"]  # fmt: skip
ACCOUNT_ROLES = ["客服", "顾问", "售后", "门店", "老师", "经理", "助理", "专员", "管家"]

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金"
    "石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红玲梅建国志文斌宇浩然子轩梓涵欣怡雨桐诗琪思佳晨曦俊凯博雅婷雪琳慧倩"
    "颖莹晶媛薇蕾倩楠颜海波鹏飞翔龙云峰阳光辉岩松柏青兰竹菊春夏秋冬安宁康乐福瑞祥吉庆元亨利贞"
)
LATIN = ["Emma", "Lucas", "Olivia", "Noah", "Mia", "Kevin", "Amy", "Jason", "Cindy", "Tony", "Vivian", "Leo", "Grace",
         "Eric", "Sunny", "Coco", "Daisy", "Frank", "Helen", "Jack"]  # fmt: skip
LATIN_SURNAMES = ["Wilson", "Chen", "Wang", "Lee", "Zhang", "Smith", "Liu", "Brown", "Wu", "Garcia"]
EMOJI = ["🌸", "🌻", "😀", "🐱", "☀️", "🍀", "🎈", "🌙", "✨", "🐼"]
WISHES = ["平安是福", "岁月静好", "一路向北", "随遇而安", "向日葵", "往事随风", "知足常乐", "晴天", "听雨", "大漠孤烟"]
PLACES = ["北辰", "东海", "华信", "金鼎", "联合", "新元", "南山", "恒通", "瑞丰", "天宇", "启明", "万和"]
TRADES = ["物流", "建材", "餐饮", "科技", "服饰", "汽配", "教育", "医药", "五金", "家居"]
TITLES = ["陈经理", "李总", "采购小王", "张工", "刘会计", "财务部", "赵店长", "前台"]


@dataclass
class Cast:
    accounts: list[Account]
    # Who rejects the calls of a team's accounts, and of those without a team; who left is there at first alone.
    at_first: dict[int | None, list[Person]] = field(default_factory=dict)
    at_last: dict[int | None, list[Person]] = field(default_factory=dict)


def bring_in(app: VendorApp, calls: int, since: datetime) -> Cast:
    """Teams, people and accounts for so many calls. Those that are there already, by name, play themselves, as they are."""
    teams = [Team.objects.get_or_create(name=name)[0] for name in TEAMS]
    everywhere = [_person(who, since, role=Person.Role.SUPERVISOR) for who in SUPERVISORS]
    everywhere += [_person(who, since, all_accounts=True) for who in EVERYWHERE]
    cast = Cast(_accounts(app, calls, teams, since), {None: everywhere}, {None: everywhere})
    for number, team in enumerate(teams):
        agents = [_person(who, since, team) for who in AGENTS[number :: len(teams)]]
        left = [_person(who, since, team, is_active=False) for who in LEFT[number :: len(teams)]]
        cast.at_last[team.pk] = [*agents, everywhere[-1]]
        cast.at_first[team.pk] = [*agents, everywhere[-1], *left]
    return cast


def nickname(rng: Random) -> str:
    """A stranger's: a name in Chinese or in Latin letters, a company's, a wish, something with a picture, or none."""
    form = rng.random()
    name = rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=1 if form < 0.25 else 2))
    if form < 0.68:
        return name
    if form < 0.78:
        return f"{rng.choice(LATIN)} {rng.choice(LATIN_SURNAMES)}" if form < 0.74 else rng.choice(LATIN)
    if form < 0.86:
        return f"{rng.choice(PLACES)}{rng.choice(TRADES)}-{rng.choice(TITLES)}"
    if form < 0.92:
        return rng.choice(EMOJI) + rng.choice([name, rng.choice(WISHES), ""])
    return rng.choice(WISHES) if form < 0.96 else ""


def _person(who: tuple[str, str], since: datetime, team: Team | None = None, **fields: object) -> Person:
    """Nobody can sign in as somebody made up; and nobody else is put in a team."""
    username, name = who
    defaults = {"name": name, "created_at": since, "password": make_password(None), **fields}
    person, is_made_up = Person.objects.get_or_create(username=username, defaults=defaults)
    if is_made_up and team:
        person.teams.add(team)
    return person


def _accounts(app: VendorApp, calls: int, teams: list[Team], since: datetime) -> list[Account]:
    number = min(MOST_ACCOUNTS, max(FEWEST_ACCOUNTS, round(calls**0.5 / 11)))
    return [
        Account.objects.get_or_create(
            app=app,
            wxid=str(FIRST_ACCOUNT + place),
            defaults={
                "name": _account_name(place),
                "team": None if place % WITHOUT_TEAM == NAMELESS - 1 else teams[place % len(teams)],
                "created_at": since,
            },
        )[0]
        for place in range(number)
    ]


def _account_name(place: int) -> str:
    if place == NAMELESS - 1:
        return ""
    round_, which = divmod(place, len(ACCOUNT_NAMES))
    return ACCOUNT_NAMES[which] + (ACCOUNT_ROLES[round_ - 1] if round_ else "")
