"""The partner's own fields: what sellers fill in for AWS and for partners they invite, and what a sync writes back.

Values are the spellings AWS accepts. The picklists are restricted, as a careful admin would make them.
Notation: `schema.read_fields`.
"""

from __future__ import annotations

from connector.sandbox.salesforce.schema import Field, read_fields

INDUSTRIES = (
    "Aerospace; Agriculture; Automotive; Computers and Electronics; Consumer Goods; Education; Energy - "
    "Oil and Gas; Energy - Power and Utilities; Financial Services; Gaming; Government; Healthcare; "
    "Hospitality; Life Sciences; Manufacturing; Marketing and Advertising; Media and Entertainment; "
    "Mining; Non-Profit Organization; Professional Services; Real Estate and Construction; Retail; "
    "Software and Internet; Telecommunications; Transportation and Logistics; Travel; Wholesale and "
    "Distribution; Other"
)
USE_CASES = (
    "AI Machine Learning and Analytics; Archiving; Big Data: Data Warehouse / Data Integration / ETL / "
    "Data Lake / BI; Blockchain; Business Applications: Mainframe Modernization; Business Applications & "
    "Contact Center; Business Applications & SAP Production; Centralized Operations Management; Cloud "
    "Management Tools; Cloud Management Tools & DevOps with Continuous Integration & Continuous Delivery "
    "(CICD); Configuration, Compliance & Auditing; Connected Services; Containers & Serverless; Content "
    "Delivery & Edge Services; Database; Edge Computing / End User Computing; Energy; Enterprise "
    "Governance & Controls; Enterprise Resource Planning; Financial Services; Healthcare and Life "
    "Sciences; High Performance Computing; Hybrid Application Platform; Industrial Software; IOT; "
    "Manufacturing, Supply Chain and Operations; Media & High performance computing (HPC); Migration / "
    "Database Migration; Monitoring, logging and performance; Monitoring & Observability; Networking; "
    "Outpost; SAP; Security & Compliance; Storage & Backup; Training; VMC; VMWare; Web development & "
    "DevOps"
)
PRIMARY_NEEDS = (
    "Co-Sell - Architectural Validation; Co-Sell - Business Presentation; Co-Sell - Competitive "
    "Information; Co-Sell - Pricing Assistance; Co-Sell - Technical Consultation; Co-Sell - Total Cost "
    "of Ownership Evaluation; Co-Sell - Deal Support; Co-Sell - Support for Public Tender / RFx"
)
SALES_ACTIVITIES = (
    "Initialized discussions with customer; Customer has shown interest in solution; Conducted POC / Demo; "
    "In evaluation / planning stage; Agreed on solution to Business Problem; Completed Action Plan; "
    "Finalized Deployment Need; SOW Signed"
)
DELIVERY_MODELS = "SaaS or PaaS; BYOL or AMI; Managed Services; Professional Services; Resell; Other"
APN_PROGRAMS = (
    "APN Immersion Days; APN Solution Space; ATO (Authority to Operate); AWS Marketplace Campaign; IS "
    "Immersion Day SFID Program; ISV Workload Migration; Migration Acceleration Program; P3; Partner "
    "Launch Initiative; Partner Opportunity Acceleration Funded; The Next Smart; VMware Cloud on AWS; "
    "Well-Architected; Windows; Workspaces/AppStream Accelerator Program; WWPS NDPP"
)
COMPETITORS = (
    "Oracle Cloud; On-Prem; Co-location; Akamai; AliCloud; Google Cloud Platform; IBM Softlayer; "
    "Microsoft Azure; Other- Cost Optimization; No Competition; *Other"
)
LOST_REASONS = (
    "Customer Deficiency; Delay / Cancellation of Project; Legal / Tax / Regulatory; Lost to Competitor "
    "- Google; Lost to Competitor - Microsoft; Lost to Competitor - SoftLayer; Lost to Competitor - "
    "VMWare; Lost to Competitor - Other; No Opportunity; On Premises Deployment; Partner Gap; Price; "
    "Security / Compliance; Technical Limitations; Customer Experience; Other; "
    "People/Relationship/Governance; Product/Technology; Financial/Commercial"
)
MARKETING_USE_CASES = (
    "AI/ML; Analytics; Application Integration; Blockchain; Business Applications; Cloud Financial "
    "Management; Compute; Containers; Customer Engagement; Databases; Developer Tools; End User "
    "Computing; Front End Web & Mobile; Game Tech; IoT; Management & Governance; Media Services; "
    "Migration & Transfer; Networking & Content Delivery; Quantum Technologies; Robotics; Satellite; "
    "Security; Serverless; Storage; VR & AR"
)
CHANNELS = (
    "AWS Marketing Central; Content Syndication; Display; Email; Live Event; Out Of Home (OOH); Print; "
    "Search; Social; Telemarketing; TV; Video; Virtual Event"
)
RESPONSIBILITIES = (
    "Distributor; Reseller; Hardware Partner; Managed Service Provider; Software Partner; Services Partner; "
    "Training Partner; Co-Sell Facilitator; Facilitator"
)

_ASKED = f"""
Share_With_AWS__c | Share With AWS | boolean
AWS_Involvement__c | | picklist(255) | restricted | Co-Sell; For Visibility Only
AWS_Visibility__c | | picklist(255) | restricted | Full; Limited
AWS_Primary_Needs__c | | multipicklist(4099) | restricted | {PRIMARY_NEEDS}
AWS_National_Security__c | | picklist(255) | restricted | Yes; No
AWS_Industry__c | | picklist(255) | restricted | {INDUSTRIES}
AWS_Other_Industry__c | | string(255)
AWS_Customer_Account_Id__c | | string(12)
AWS_Customer_Duns__c | | string(9)
AWS_Delivery_Models__c | | multipicklist(4099) | restricted | {DELIVERY_MODELS}
AWS_Customer_Use_Case__c | | picklist(255) | restricted | {USE_CASES}
AWS_Business_Problem__c | | textarea(2000)
AWS_Sales_Activities__c | | multipicklist(4099) | restricted | {SALES_ACTIVITIES}
AWS_Estimation_Url__c | | string(255)
AWS_Contract_Months__c | | double(3,0)
AWS_Apn_Programs__c | | multipicklist(4099) | restricted | {APN_PROGRAMS}
AWS_Related_Opportunity_Id__c | | string(20)
AWS_Competitor__c | | picklist(255) | restricted | {COMPETITORS}
AWS_Other_Competitors__c | | string(255)
AWS_Other_Solution__c | | string(255)
AWS_Additional_Comments__c | | string(255)
AWS_Partition__c | | picklist(255) | restricted | aws-eusc
AWS_Closed_Lost_Reason__c | | picklist(255) | restricted | {LOST_REASONS}
AWS_Marketing_Source__c | | picklist(255) | restricted | Marketing Activity; None
AWS_Marketing_Use_Cases__c | | multipicklist(4099) | restricted | {MARKETING_USE_CASES}
AWS_Marketing_Channels__c | | multipicklist(4099) | restricted | {CHANNELS}
AWS_Funding_Used__c | | picklist(255) | restricted | Yes; No
AWS_Software_Delivery__c | | picklist(255) | restricted | Contract; Pay-as-you-go; Subscription
AWS_Software_Value__c | | currency(18,2)
AWS_Software_Effective__c | | date
AWS_Software_Expiration__c | | date
AWS_Cost_Center__c | | string(80)
AWS_Solution_Ids__c | | string(255)
AWS_Product_Codes__c | | string(255)
AWS_Marketplace_Solutions__c | | textarea(2000)
AWS_Marketplace_Products__c | | textarea(2000)
AWS_Marketplace_Offers__c | | string(255)
AWS_Marketplace_Offer_Sets__c | | string(255)
AWS_Submit__c | | boolean
"""

_TOLD = """
AWS_Opportunity_Id__c | | string(20) | external
AWS_Task_Id__c | | string(64)
AWS_Task_Arn__c | | string(255)
AWS_Task_Status__c | | string(20)
AWS_Task_Start_Time__c | | datetime
AWS_Task_Message__c | | textarea(32768)
AWS_Task_Reason__c | | string(80)
AWS_Engagement_Id__c | | string(64)
AWS_Review_Status__c | | string(40)
AWS_Review_Comments__c | | textarea(32768)
AWS_Sync_Status__c | | string(20)
AWS_Sync_Message__c | | textarea(32768)
AWS_Synced_At__c | | datetime
AWS_Stage__c | | string(40)
AWS_Next_Steps__c | | string(255)
AWS_Involvement_Told__c | | string(40)
AWS_Involvement_Change_Reason__c | | string(255)
AWS_Visibility_Told__c | | string(20)
AWS_Origin__c | | string(40)
AWS_Engagement_Score__c | | string(20)
AWS_Next_Best_Actions__c | | textarea(4000)
AWS_Sales_Rep_Name__c | | string(121)
AWS_Sales_Rep_Email__c | | string(80)
AWS_Account_Owner_Name__c | | string(121)
AWS_Account_Owner_Email__c | | string(80)
AWS_PDM_Name__c | | string(121)
AWS_PDM_Email__c | | string(80)
AWS_PSM_Name__c | | string(121)
AWS_PSM_Email__c | | string(80)
AWS_Close_Date__c | | date
AWS_Review_Reason__c | | string(255)
"""

INVITATION_TABLE = f"""
Name | Invitation Number | string(80) | system auto:PI-
Opportunity__c | | reference(Opportunity) | required up:Opportunity__r down:AWS_Partner_Invitations__r cascade
Partner_Name__c | | string(80)
Partner_AWS_Account__c | | string(12)
Message__c | | textarea(255)
Responsibilities__c | | multipicklist(4099) | restricted | {RESPONSIBILITIES}
Engagement_Id__c | | string(64)
Target_Completion_Date__c | | date
Project_Title__c | | string(255)
Business_Problem__c | | textarea(2000)
Expected_Amount__c | | currency(18,2)
Currency__c | | picklist(255) | | USD; EUR
Estimation_Url__c | | string(255)
Target_Company__c | | string(80)
Sender_First_Name__c | | string(80)
Sender_Last_Name__c | | string(80)
Sender_Title__c | | string(80)
Sender_Email__c | | string(80)
Sender_Phone__c | | string(80)
Company_Name__c | | string(120)
Country__c | | string(80)
Industry__c | | string(255)
Website__c | | string(255)
Invitation_Id__c | | string(64)
Invitation_Arn__c | | string(255)
Invitation_Status__c | | string(20)
Rejection_Reason__c | | string(255)
Invitation_Date__c | | datetime
Expiration_Date__c | | datetime
Invitation_Sync_Status__c | | string(20)
Invitation_Sync_Message__c | | textarea(32768)
"""

OPPORTUNITY_FIELDS: tuple[Field, ...] = (*read_fields(_ASKED), *read_fields(_TOLD))
